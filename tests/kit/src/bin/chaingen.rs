//! Writes a generated regtest chain as bitcoind's block files, or hands it to a bitcoind.

use std::path::PathBuf;
use std::process::exit;

use hekte_testkit::chain::{ChainSpec, GenBlock, Generator, Shape};
use hekte_testkit::files::{BlockDir, FileOptions};
use hekte_testkit::rpc::Rpc;

const USAGE: &str = "chaingen --out DIR [--seed N] [--blocks N] [--txs-per-block N] [--stale N]
         [--xor] [--max-file SIZE] [--shape mixed|bench] [--submit URL COOKIEFILE]
Writes DIR/regtest/blocks. SIZE in bytes or with K, M, G. --submit also sends blocks to a node.";

struct Args {
    out: Option<PathBuf>,
    spec: ChainSpec,
    files: FileOptions,
    submit: Option<Rpc>,
}

#[derive(Default)]
struct Totals {
    blocks: u64,
    stale: u64,
    txs: u64,
    inputs: u64,
    outputs: u64,
    bytes: u64,
    tip: String,
}

fn main() {
    let args = parse(std::env::args().skip(1)).unwrap_or_else(|problem| {
        eprintln!("{problem}\n{USAGE}");
        exit(64); // EX_USAGE
    });
    let mut dir = args.out.map(|out| BlockDir::create(&out.join("regtest/blocks"), args.files));
    let mut totals = Totals::default();
    for block in Generator::new(&args.spec) {
        totals.add(&block);
        if let Some(rpc) = &args.submit {
            submit(rpc, &block);
        }
        if let Some(dir) = &mut dir {
            dir.add(&block);
        }
    }
    let Totals { blocks, stale, txs, inputs, outputs, bytes, tip } = totals;
    println!(
        "blocks {blocks} stale {stale} txs {txs} inputs {inputs} outputs {outputs} bytes {bytes} \
         tip {tip}"
    );
}

fn submit(rpc: &Rpc, block: &GenBlock) {
    let answer = rpc.submit_block(&block.block);
    if !matches!(answer.as_deref(), Ok("" | "inconclusive" | "duplicate")) {
        eprintln!("block {} at height {} was refused: {answer:?}", block.hash(), block.height);
        exit(1);
    }
}

impl Totals {
    /// Adds a block to the totals. Most of them are about the winning chain only, genesis included;
    /// `bytes` is about all stored blocks.
    fn add(&mut self, block: &GenBlock) {
        self.bytes += block.block.total_size() as u64 + 8;
        if !block.active {
            self.stale += 1;
            return;
        }
        self.blocks += 1;
        let txs = &block.block.txdata;
        self.txs += txs.len() as u64;
        self.inputs += txs.iter().skip(1).map(|tx| tx.input.len() as u64).sum::<u64>();
        self.outputs += txs.iter().map(|tx| tx.output.len() as u64).sum::<u64>();
        self.tip = block.hash().to_string();
    }
}

fn parse(mut words: impl Iterator<Item = String>) -> Result<Args, String> {
    let (spec, files) = (ChainSpec::default(), FileOptions::default());
    let mut args = Args { out: None, spec, files, submit: None };
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or(format!("{word} wants a value"));
        match word.as_str() {
            "--out" => args.out = Some(value()?.into()),
            "--seed" => args.spec.seed = number(&value()?)?,
            "--blocks" => args.spec.blocks = number(&value()?)? as u32,
            "--txs-per-block" => args.spec.txs_per_block = number(&value()?)? as u32,
            "--stale" => args.spec.stale_branches = number(&value()?)? as u32,
            "--xor" => args.files.xor = Some([0x5a, 0x01, 0xff, 0x80, 0x13, 0x00, 0xc7, 0x6e]),
            "--max-file" => args.files.max_file = number(&value()?)?,
            "--shape" => {
                args.spec.shape = match value()?.as_str() {
                    "mixed" => Shape::Mixed,
                    "bench" => Shape::Bench,
                    other => return Err(format!("no shape is called {other}")),
                }
            }
            "--submit" => {
                let url = value()?;
                args.submit = Some(Rpc::new(&url, value()?.into()));
            }
            _ => return Err(format!("unknown argument {word}")),
        }
    }
    if args.spec.shape == Shape::Bench {
        args.spec.keep_undo = 16; // saves memory: the wallet need not rewind far
    }
    if args.out.is_none() && args.submit.is_none() {
        return Err("say where to write: --out DIR".into());
    }
    Ok(args)
}

fn number(text: &str) -> Result<u64, String> {
    let (digits, unit) = match text.find(|c: char| !c.is_ascii_digit()) {
        Some(at) => text.split_at(at),
        None => (text, ""),
    };
    let shift = match unit.to_ascii_lowercase().as_str() {
        "" => 0,
        "k" | "kib" => 10,
        "m" | "mib" => 20,
        "g" | "gib" => 30,
        _ => return Err(format!("{text} is no number")),
    };
    digits.parse::<u64>().map(|n| n << shift).map_err(|_| format!("{text} is no number"))
}
