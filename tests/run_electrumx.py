# Runs ElectrumX 2.0.0 on regtest with a bitcoind that is older than the one it requires.
#
# ElectrumX requires bitcoind 31 with txospenderindex, for blockchain.outpoint.*. Here it accepts an
# older one: the one call that this lacks is answered by searching the blocks, with the result that
# the index would give. The rest is unchanged. DB_DIRECTORY, DAEMON_URL and SERVICES name the
# places.
import os
import sys

DEFAULTS = {
    "COIN": "Bitcoin",
    "NET": "regtest",
    "DB_ENGINE": "leveldb",
    "PEER_DISCOVERY": "off",
    "PEER_ANNOUNCE": "",
    "COST_SOFT_LIMIT": "0",
    "COST_HARD_LIMIT": "0",
    "ALLOW_ROOT": "1",
    "LOG_LEVEL": "info",
}
for name, value in DEFAULTS.items():
    os.environ.setdefault(name, value)

from electrumx.cli import electrumx_server
from electrumx.lib.coins import Bitcoin
from electrumx.server.daemon import Daemon

Bitcoin.MIN_REQUIRED_DAEMON_VERSION = None
Bitcoin.REQUIRED_DAEMON_INDEXES = ("txindex",)

spends = {}  # block hash: {(txid, index): spending txid}


async def spends_of(daemon, block_hash):
    if block_hash not in spends:
        block = await daemon._send_single("getblock", (block_hash, 2))
        spends[block_hash] = {
            (coin["txid"], coin["vout"]): tx["txid"]
            for tx in block["tx"]
            for coin in tx["vin"]
            if "txid" in coin
        }
    return spends[block_hash]


async def spender(daemon, txid, index):
    tip = await daemon._send_single("getblockcount")
    for height in range(tip, 0, -1):
        block_hash = await daemon._send_single("getblockhash", (height,))
        found = (await spends_of(daemon, block_hash)).get((txid, index))
        if found:
            return {"txid": txid, "vout": index, "spendingtxid": found, "blockhash": block_hash}
    return {"txid": txid, "vout": index}


Daemon.gettxspendingprevout = spender
sys.exit(electrumx_server.main())
