//! The released minisnap 0.1.1 as a program.
//!
//! ```text
//! create DIR SEQ JSON     creates a snapshot
//! restore DIR             restores the snapshot, and prints its seq and its JSON
//! exists DIR              prints true or false
//! watch DIR               restores repeatedly until its standard input ends, and then once more. Prints each result that
//!                         differs from the previous result, and at the end the number of restores.
//! ```

use minisnap::SnapStore;
use serde_json::Value;
use std::{
    env,
    io::{Read, stdin},
    sync::atomic::{AtomicBool, Ordering},
    thread,
};

static STOP: AtomicBool = AtomicBool::new(false);

fn main() {
    let args: Vec<String> = env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    runtime.block_on(async {
        match args[..] {
            ["create", dir, seq, json] => {
                let state: Value = serde_json::from_str(json).expect("JSON");
                SnapStore::new(dir).create(&state, seq.parse().expect("a seq")).await.expect("to create");
            }
            ["restore", dir] => println!("{}", restore(dir).await),
            ["exists", dir] => println!("{}", SnapStore::new(dir).exists().await),
            ["watch", dir] => watch(dir).await,
            _ => panic!("invalid arguments: {args:?}"),
        }
    });
}

async fn restore(dir: &str) -> String {
    match SnapStore::new(dir).restore::<Value>().await {
        Ok((state, seq)) => format!("{seq} {state}"),
        Err(error) => format!("error: {error}"),
    }
}

async fn watch(dir: &str) {
    thread::spawn(|| {
        let _ = stdin().read_to_end(&mut Vec::new());
        STOP.store(true, Ordering::SeqCst);
    });
    let (mut last, mut count) = (String::new(), 0_u64);
    loop {
        let stop = STOP.load(Ordering::SeqCst);
        let found = restore(dir).await;
        count += 1;
        if found != last {
            println!("{found}");
            last = found;
        }
        if stop {
            break;
        }
    }
    println!("restored {count} times");
}
