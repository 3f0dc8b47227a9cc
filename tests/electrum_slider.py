# Prints what Electrum's fee slider shows once it has asked a server; tests/node/slider.rs runs it.
#
# electrum_slider.py FOLDER HOST:PORT: on regtest the program's own commands give a fixed rate
# instead, so its parts are used here as its window uses them.
import json
import sys
import time

from electrum import constants, util
from electrum.network import Network
from electrum.simple_config import FEE_DEPTH_TARGETS, FEE_ETA_TARGETS, SimpleConfig

folder, server = sys.argv[1:]
constants.set_regtest()
options = {"electrum_path": folder, "server": server + ":t", "oneserver": True}
config = SimpleConfig({**options, "regtest": True})
util.create_and_start_event_loop()
network = Network(config)
network.start()

end = time.monotonic() + 60
while not (config.has_fee_mempool() and config.has_fee_etas()):
    if time.monotonic() > end:
        sys.exit(f"no fees: {config.mempool_fees} {config.fee_estimates}")
    time.sleep(0.1)


def position(at, mempool):
    rate = config.depth_to_fee(at) if mempool else config.eta_to_fee(at)
    return [rate, *config.get_fee_text(at, True, mempool, rate)]


answer = {
    "histogram": config.mempool_fees,
    "estimates": config.fee_estimates,
    "relay_fee": network.relay_fee,
    "by_depth": [position(at, True) for at in range(len(FEE_DEPTH_TARGETS))],
    "by_blocks": [position(at, False) for at in range(len(FEE_ETA_TARGETS) + 1)],
}
print(json.dumps(answer), flush=True)
util.get_asyncio_loop().call_soon_threadsafe(sys.exit)
