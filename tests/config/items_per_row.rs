//! The texts about the index name how many items a row of each table has.

use std::fs;
use std::path::Path;

use hekte::index::items::{BlockItem, NODE_BYTES, PositionItem};
use hekte::index::pages::items_per_row;
use hekte::index::spans::SpanItem;

/// Each item table: its name, how the schema names its items, the length of an item.
const TABLES: [(&str, &str, usize); 4] = [
    ("blocks", "blocks", BlockItem::BYTES),
    ("spans", "spans", SpanItem::BYTES),
    ("nodes", "Merkle nodes", NODE_BYTES),
    ("positions", "block positions", PositionItem::BYTES),
];

fn text(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

/// What the comments of schema.sql should say and do not.
fn faults_of_schema(schema: &str) -> Vec<String> {
    let mut faults = Vec::new();
    for (table, items, bytes) in TABLES {
        let number = items_per_row(bytes);
        // the comment of a table stands between the statement before it and its own
        let before = schema.split(&format!("CREATE TABLE {table} ")).next().unwrap();
        let comment = before.rsplit("STRICT;").next().unwrap();
        for expected in [format!("-- {number} {items} a row"), format!(" / {number}")] {
            if !comment.contains(&expected) {
                faults.push(format!("schema.sql: {table} without {expected:?}"));
            }
        }
    }
    faults
}

/// What the two drawings in store-format.md should say and do not.
fn faults_of_page(page: &str) -> Vec<String> {
    let mut faults = Vec::new();
    for (table, _, bytes) in TABLES {
        let number = items_per_row(bytes);
        let rows: Vec<_> =
            page.lines().filter(|line| line.trim_start().starts_with(table)).collect();
        for expected in
            [format!("data {number} items a row"), format!("n = {number} {bytes} bytes")]
        {
            let words = |row: &str| row.split_whitespace().collect::<Vec<_>>().join(" ");
            if !rows.iter().any(|row| words(row).contains(&expected)) {
                faults.push(format!("store-format.md: {table} without {expected:?}"));
            }
        }
    }
    for sentence in [
        format!("one row tells about {} spans", items_per_row(SpanItem::BYTES)),
        format!("`blocks`, {} headers each", items_per_row(BlockItem::BYTES)),
    ] {
        if !page.contains(&sentence) {
            faults.push(format!("store-format.md: without {sentence:?}"));
        }
    }
    faults
}

#[test]
fn the_texts_name_the_items_of_a_row() {
    let nothing = Vec::<String>::new();
    assert_eq!(faults_of_schema(&text("src/store/schema.sql")), nothing);
    assert_eq!(faults_of_page(&text("docs/store-format.md")), nothing);
}

#[test]
fn a_wrong_number_is_found_in_each_text() {
    for (_, _, bytes) in TABLES {
        let number = items_per_row(bytes);
        let schema = text("src/store/schema.sql").replace(&number.to_string(), "40");
        assert_eq!(faults_of_schema(&schema).len(), 2);
        let page = text("docs/store-format.md");
        for right in [format!("{number} items a row"), format!("n = {number} ")] {
            assert!(!faults_of_page(&page.replace(&right, "40 items")).is_empty(), "{right}");
        }
    }
}
