// Asks a server through npm's @mempool/electrum-client what mempool's backend asks: in batches.
//
// node npm_client.js LIBRARY PORT; scripts and txids come as JSON on stdin, answers go to stdout.
const [library, port] = process.argv.slice(2);
const Client = require(library);
const { scripts, txids } = JSON.parse(require("fs").readFileSync(0, "utf8"));

// replies of a batch may come in any order; the library says which parameter each belongs to
const sorted = (asked, replies) =>
  asked.map((param) => {
    const reply = replies.find((one) => one.param === param);
    return reply.error ? { error: reply.error.code } : reply.result;
  });

async function main() {
  const quiet = { onLog: () => {} };
  const client = new Client(Number(port), "127.0.0.1", "tcp", undefined, quiet);
  await client.initElectrum({ client: "mempool-v3", version: "1.4" });
  const answers = { tip: await client.blockchainHeaders_subscribe() };
  const histories = await client.blockchainScripthash_getHistoryBatch(scripts);
  answers.histories = sorted(scripts, histories);
  const coins = await client.blockchainScripthash_listunspentBatch(scripts);
  answers.coins = sorted(scripts, coins);
  const balances = await client.blockchainScripthash_getBalanceBatch(scripts);
  answers.balances = sorted(scripts, balances);
  answers.txs = sorted(txids, await client.blockchainTransaction_getBatch(txids, false));
  answers.alone = await client.blockchainScripthash_getHistory(scripts[0]);
  client.close();
  console.log(JSON.stringify(answers));
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
