//! For tests: random documents, and random forms of the same document.

use proptest::{collection, prelude::*};
use serde_json::Value;

pub(super) fn document() -> impl Strategy<Value = Value> {
    let text = prop_oneof![any::<String>(), "[\u{0}\"\\\\/a1:{},]{0,4}"];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        prop::num::f64::NORMAL.prop_map(Value::from),
        text.clone().prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 40, 6, move |inner| {
        prop_oneof![
            collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            collection::btree_map(text.clone(), inner, 0..6).prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

/// Formats a document with random white space and escapes, which `choices` decide.
pub(super) struct RandomFormatter<'a> {
    choices: std::iter::Cycle<std::slice::Iter<'a, u8>>,
    text: String,
}

impl<'a> RandomFormatter<'a> {
    pub(super) fn format(document: &Value, choices: &'a [u8]) -> String {
        let mut formatter = Self { choices: choices.iter().cycle(), text: String::new() };
        formatter.value(document);
        formatter.space();
        formatter.text
    }

    fn choice(&mut self) -> usize {
        self.choices.next().copied().unwrap_or_default().into()
    }

    fn space(&mut self) {
        let space = ["", "", " ", "\n", "\t\r", "  "][self.choice() % 6];
        self.text.push_str(space);
    }

    fn mark(&mut self, mark: char) {
        self.space();
        self.text.push(mark);
    }

    fn value(&mut self, value: &Value) {
        self.space();
        match value {
            Value::String(string) => self.string(string),
            Value::Array(items) => {
                self.text.push('[');
                for (index, item) in items.iter().enumerate() {
                    if index > 0 {
                        self.mark(',');
                    }
                    self.value(item);
                }
                self.mark(']');
            }
            Value::Object(entries) => {
                self.text.push('{');
                for (index, (key, value)) in entries.iter().enumerate() {
                    if index > 0 {
                        self.mark(',');
                    }
                    self.space();
                    self.string(key);
                    self.mark(':');
                    self.value(value);
                }
                self.mark('}');
            }
            scalar => self.text.push_str(&scalar.to_string()),
        }
    }

    fn string(&mut self, string: &str) {
        self.text.push('"');
        for char in string.chars() {
            match self.choice() % 3 {
                0 => {
                    for unit in char.encode_utf16(&mut [0; 2]) {
                        self.text.push_str(&format!("\\u{unit:04x}"));
                    }
                }
                1 if char == '/' => self.text.push_str("\\/"),
                _ => {
                    let quoted = Value::from(char.to_string()).to_string();
                    self.text.push_str(&quoted[1..quoted.len() - 1]);
                }
            }
        }
        self.text.push('"');
    }
}
