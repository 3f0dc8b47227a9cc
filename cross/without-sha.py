#!/usr/bin/env python3
# A processor without cryptography: runs a program under qemu and hides what the Pi 4 lacks.
"""without-sha.py EMULATOR [-d in_asm ...] PROGRAM [ARGUMENT ...]

qemu has no model of a 64-bit ARM processor without SHA instructions, such as the BCM2711 of the
Pi 4. Programs find out from the word AT_HWCAP that the kernel lays on their stack. Through qemu's
debugger port this clears AES, PMULL, SHA1 and SHA2 there before the first instruction runs.
"""
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time

AT_HWCAP = 16
HIDDEN = 1 << 3 | 1 << 4 | 1 << 5 | 1 << 6


class Debugger:
    """The few words of gdb's remote protocol that are needed."""

    def __init__(self, path, process):
        self.socket = socket.socket(socket.AF_UNIX)
        for _ in range(600):
            try:
                self.socket.connect(path)
                break
            except OSError:
                if process.poll() is not None:
                    sys.exit(process.returncode)
                time.sleep(0.05)
        else:
            sys.exit("without-sha: no debugger port")
        self.socket.settimeout(60)

    def ask(self, text):
        packet = text.encode()
        self.socket.sendall(b"$" + packet + b"#%02x" % (sum(packet) % 256))
        answer = b""
        while b"#" not in answer or len(answer) < answer.index(b"#") + 3:
            more = self.socket.recv(65536)
            if not more:
                sys.exit("without-sha: the debugger port was closed")
            answer += more
        self.socket.sendall(b"+")
        return answer[answer.index(b"$") + 1 : answer.index(b"#")].decode()

    def word(self, address):
        return int.from_bytes(bytes.fromhex(self.ask(f"m{address:x},8")), "little")

    def write(self, address, value):
        answer = self.ask(f"M{address:x},8:{value.to_bytes(8, 'little').hex()}")
        if answer != "OK":
            sys.exit(f"without-sha: writing said {answer}")


def hide(debugger):
    registers = bytes.fromhex(debugger.ask("g"))
    at = int.from_bytes(registers[31 * 8 : 32 * 8], "little")
    at += 8 * (debugger.word(at) + 2)  # skips the number of arguments, the arguments, a zero
    while debugger.word(at):  # skips the environment
        at += 8
    at += 8
    while (kind := debugger.word(at)) != 0:
        if kind == AT_HWCAP:
            before = debugger.word(at + 8)
            debugger.write(at + 8, before & ~HIDDEN)
            if not before & HIDDEN:
                sys.exit("without-sha: there was nothing to hide")
            return
        at += 16
    sys.exit("without-sha: no AT_HWCAP on the stack")


def main():
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "gdb")
        process = subprocess.Popen([sys.argv[1], "-g", path, *sys.argv[2:]])
        signal.signal(signal.SIGTERM, lambda number, frame: process.terminate())
        debugger = Debugger(path, process)
        hide(debugger)
        debugger.ask("D")
        debugger.socket.close()
        sys.exit(process.wait())


main()
