# Prints the values of Electrum's fee slider after asking a server, for tests/node/slider.rs.
#
# electrum_slider.py FOLDER HOST:PORT. On regtest Electrum's own commands return a fixed rate, so
# this script uses Electrum's classes as its window does.
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
