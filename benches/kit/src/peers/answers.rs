//! The answers of servers, in a form that can be compared.

use bitcoin::hashes::{Hash, sha256};
use serde_json::{Value, json};

use crate::queries::{Questions, greeted};

/// Answers longer than this are kept as a hash and their beginning.
const WHOLE: usize = 2000;
/// Number of questions sent in one batch.
const BATCH: usize = 20;

/// All answers in the order of the questions, each as it came and with its lists sorted.
pub fn of(address: &str, questions: &Questions) -> Value {
    let mut all = Vec::new();
    for some in questions.params.chunks(BATCH) {
        // a new client for each batch, so that subscriptions of earlier ones are no load
        let mut client = greeted(address);
        let calls: Vec<_> = some.iter().map(|params| (questions.method, params.clone())).collect();
        for (answer, params) in client.batch(&calls).into_iter().zip(some) {
            let answer = answer.unwrap_or_else(|error| json!({"error": error["code"]}));
            all.push(json!([params, brief(&answer), brief(&sorted(answer.clone()))]));
        }
    }
    Value::Array(all)
}

fn sorted(mut answer: Value) -> Value {
    if let Some(list) = answer.as_array_mut() {
        list.sort_by_key(Value::to_string);
    }
    answer
}

fn brief(answer: &Value) -> String {
    let text = answer.to_string();
    if text.len() <= WHOLE {
        return text;
    }
    let hash = sha256::Hash::hash(text.as_bytes());
    format!("{} bytes, SHA-256 {hash}: {:.200}...", text.len(), text)
}

/// The comparison of two servers' answers to one list of questions.
#[derive(Default)]
pub struct Agreement {
    pub same: usize,
    /// Answers with equal lists in another order.
    pub reordered: usize,
    pub different: usize,
    /// The first difference: question and both answers.
    pub example: Option<String>,
}

/// Compares two lists made by [`of`].
pub fn compare(ours: &Value, theirs: &Value) -> Agreement {
    let mut agreement = Agreement::default();
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    for (our, their) in list(ours).iter().zip(&list(theirs)) {
        if our[1] == their[1] {
            agreement.same += 1;
        } else if our[2] == their[2] {
            agreement.reordered += 1;
        } else {
            agreement.different += 1;
            let text = format!("{}: hekte {:.300} but {:.300}", our[0], text(our), text(their));
            agreement.example.get_or_insert(text);
        }
    }
    agreement
}

fn text(answer: &Value) -> &str {
    answer[1].as_str().unwrap_or_default()
}
