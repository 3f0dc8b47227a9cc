//! Real chains, written by Bitcoin Core's own code: right answers whatever stands in the files.
#![allow(clippy::unwrap_used)]

use std::path::PathBuf;
use std::sync::Arc;

use hekte::blockfile::dir::BlockDir;
use hekte::chain::params::ChainParams;
use hekte::inspect::digest::digest;
use hekte::live::progress::Progress;
use hekte::store::open::{Db, Mode};
use hekte::sync::bulk::{Build, INDEX_FILE, Outcome};
use hekte::sync::load::BlockLoader;
use hekte::sync::plan::{Plan, scan_all};

#[test]
fn first_light() {
    let Some(dir) = std::env::var_os("HEKTE_REALDATA") else { return };
    let dir = PathBuf::from(dir).join("core-dirs");
    for (name, network, postings) in [
        ("mainnet_4521_xor", bitcoin::Network::Bitcoin, 1_000_000),
        ("mainnet_4521_xor", bitcoin::Network::Bitcoin, 1000),
        ("mainnet_reorg2016_xor", bitcoin::Network::Bitcoin, 1_000_000),
        ("testnet3_400", bitcoin::Network::Testnet, 100),
        ("regtest_206", bitcoin::Network::Regtest, 1_000_000),
    ] {
        let params = ChainParams::of(network);
        let scratch =
            std::env::temp_dir().join(format!("hekte-{name}-{postings}-{}", std::process::id()));
        let blocks = Arc::new(BlockDir::open(&dir.join(name).join("blocks")).unwrap());
        let loader = BlockLoader::new(blocks, &params);
        let t = std::time::Instant::now();
        let tree = scan_all(&loader, &params).unwrap();
        let plan = Plan::by_files(tree, &loader, &params).unwrap();
        println!("{name} plan {} {:?}", plan.chain.len(), t.elapsed());
        let progress = Progress::default();
        let build = Build {
            folder: &scratch,
            params: &params,
            loader: &loader,
            plan: &plan,
            batch_postings: postings,
            memory: 256 << 20,
            threads: 2,
            progress: &progress,
        };
        let outcome = build.run().unwrap();
        println!("{outcome:?} {:?}", t.elapsed());
        assert!(matches!(outcome, Outcome::Complete(_)));
        let db = Db::open(&scratch.join(INDEX_FILE), &params, Mode::Read).unwrap();
        println!("{:?}", digest(&db, None).unwrap());
        std::fs::remove_dir_all(&scratch).unwrap();
    }
}
