//! Each fault, as a client and the server see it.

use minisnap_fault_proxy::{Fault, FaultProxy, Plan, Rates};
use minisnap_s3_server::{Conditions, S3Server, options};
use object_store::{
    ClientOptions, Error, ObjectStore, ObjectStoreExt, PutMode, PutResult, RetryConfig, UpdateVersion,
    aws::{AmazonS3, AmazonS3Builder},
    path::Path,
};
use std::time::{Duration, Instant};

const TIMEOUT: Duration = Duration::from_millis(1500);
const TOO_LATE: Duration = Duration::from_millis(2500);

struct Setup {
    _server: S3Server,
    proxy: FaultProxy,
    client: AmazonS3,
    key: Path,
}

/// A client without retries, a proxy and a server, which checks the signatures of the requests.
fn setup() -> Setup {
    let server = S3Server::start(Conditions::Atomic);
    let proxy = FaultProxy::start(server.endpoint(), 1);
    let builder = AmazonS3Builder::new()
        .with_url(server.url(""))
        .with_retry(RetryConfig { max_retries: 0, ..Default::default() })
        .with_client_options(ClientOptions::new().with_timeout(TIMEOUT));
    let configured = options(proxy.endpoint())
        .into_iter()
        .fold(builder, |builder, (key, value)| builder.with_config(key.parse().expect("an option"), value));
    Setup { _server: server, proxy, client: configured.build().expect("a client"), key: Path::from("a/b c+d") }
}

impl Setup {
    /// All requests have this fault.
    fn inject(&self, fault: Fault) {
        let plan = Plan::new(Rates::evenly(&[fault], 1000));
        self.proxy.set_plan(Plan { late: Duration::from_millis(100), too_late: TOO_LATE, ..plan });
    }

    async fn calm(&self) {
        self.proxy.set_plan(Plan::calm());
        self.proxy.wait_until_idle(Duration::from_millis(20)).await;
    }

    async fn put(&self, body: &'static str, mode: PutMode) -> Result<PutResult, Error> {
        self.client.put_opts(&self.key, body.into(), mode.into()).await
    }

    async fn get(&self) -> Result<String, Error> {
        let bytes = self.client.get(&self.key).await?.bytes().await?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    async fn tag(&self) -> Option<String> {
        self.client.get(&self.key).await.expect("an object").meta.e_tag
    }

    /// Puts `body` while `fault` is injected. Returns the client's answer, and the body that the server has afterwards.
    async fn put_with(&self, fault: Fault, body: &'static str) -> (Result<PutResult, Error>, String) {
        self.inject(fault);
        let answer = self.put(body, PutMode::Overwrite).await;
        self.calm().await;
        (answer, self.get().await.expect("an object"))
    }

    fn count(&self, fault: Fault) -> u64 {
        self.proxy.tally().get(&format!("{fault:?}")).copied().unwrap_or_default()
    }
}

#[tokio::test]
async fn calm_proxy_changes_nothing() {
    let setup = setup();
    let first = setup.put("first", PutMode::Create).await.expect("a put");
    setup.put("again", PutMode::Create).await.expect_err("it exists");
    let update = PutMode::Update(UpdateVersion { e_tag: first.e_tag.clone(), version: None });
    setup.put("second", update.clone()).await.expect("a put");
    setup.put("third", update).await.expect_err("it changed");
    assert_eq!(setup.get().await.expect("an object"), "second");
    assert_eq!(setup.client.head(&setup.key).await.expect("an object").size, 6);
    assert_eq!(setup.client.get_range(&setup.key, 2..4).await.expect("a range"), "co");
    let listed = setup.client.list_with_delimiter(None).await.expect("a listing");
    assert_eq!(listed.common_prefixes, [Path::from("a")]);
    assert!(setup.proxy.tally().is_empty());

    let exchanges = setup.proxy.exchanges();
    let statuses: Vec<_> = exchanges.iter().map(|exchange| exchange.status).collect();
    assert_eq!(statuses, [Some(200), Some(412), Some(200), Some(412)]);
    assert_eq!((&exchanges[2].if_match, &exchanges[0].tag), (&first.e_tag, &first.e_tag));
    assert_eq!(exchanges[2].body, "second");
    assert_eq!(exchanges[2].target, "/minisnap/a/b%20c%2Bd");
}

#[tokio::test]
async fn request_is_applied_unless_it_is_lost() {
    let setup = setup();
    setup.put("old", PutMode::Overwrite).await.expect("a put");
    for (fault, answered, found) in [
        (Fault::RequestLost, false, "old"),
        (Fault::ErrorNotApplied, false, "old"),
        (Fault::FalseAcknowledgement, true, "old"),
        (Fault::AnswerLost, false, "1"),
        (Fault::ErrorApplied, false, "2"),
        (Fault::AnswerLate, true, "3"),
        (Fault::AnswerTooLate, false, "4"),
        (Fault::RequestTooLate, false, "5"),
        (Fault::RequestRepeated, true, "6"),
        (Fault::RequestRepeatedLater, true, "7"),
    ] {
        let body = if found == "old" { "new" } else { found };
        let before = setup.proxy.exchanges().len();
        let (answer, now) = setup.put_with(fault, body).await;
        assert_eq!((answer.is_ok(), now.as_str()), (answered, found), "{fault:?}: {answer:?}");
        assert_eq!(setup.count(fault), 1, "{fault:?}");
        let arrived = match fault {
            _ if found == "old" => 0,
            Fault::RequestRepeated | Fault::RequestRepeatedLater => 2,
            _ => 1,
        };
        assert_eq!(setup.proxy.exchanges().len() - before, arrived, "{fault:?}");
    }
}

/// The writer succeeded, and is refused: its own first request was the other writer.
#[tokio::test]
async fn repeated_request_gets_the_second_answer() {
    let setup = setup();
    setup.inject(Fault::RequestRepeated);
    let refused = setup.put("new", PutMode::Create).await.expect_err("the second answer");
    assert!(matches!(refused, Error::AlreadyExists { .. }), "{refused}");
    assert_eq!(setup.get().await.expect("an object"), "new");
}

#[tokio::test]
async fn truncated_answer_is_an_error_of_the_body() {
    let setup = setup();
    setup.put("a body of several bytes", PutMode::Overwrite).await.expect("a put");
    setup.inject(Fault::AnswerTruncated);
    let answer = setup.client.get(&setup.key).await.expect("the head of an answer");
    assert_eq!(answer.meta.size, 23);
    answer.bytes().await.expect_err("the connection ended");
    assert_eq!(setup.count(Fault::AnswerTruncated), 1);
    setup.put("no body in the answer", PutMode::Overwrite).await.expect("the fault doesn't apply");
    assert_eq!(setup.count(Fault::AnswerTruncated), 1);
}

#[tokio::test]
async fn answer_is_overtaken_by_later_answers() {
    let setup = setup();
    setup.put("body", PutMode::Overwrite).await.expect("a put");
    setup.inject(Fault::AnswerReordered);
    let start = Instant::now();
    setup.get().await.expect("a get");
    assert!(start.elapsed() >= Duration::from_millis(100), "no later request came");
    assert_eq!(setup.count(Fault::AnswerReordered), 0);
    let held = async {
        setup.get().await.expect("a get");
        Instant::now()
    };
    let later = async {
        tokio::time::sleep(Duration::from_millis(20)).await;
        setup.proxy.set_plan(Plan::calm());
        for _ in 0..2 {
            setup.get().await.expect("a get");
        }
        Instant::now()
    };
    setup
        .proxy
        .set_plan(Plan { late: Duration::from_secs(1), ..Plan::new(Rates::evenly(&[Fault::AnswerReordered], 1000)) });
    let (held, later) = tokio::join!(held, later);
    assert!(held + Duration::from_millis(50) >= later, "{:?}", later.duration_since(held));
    assert_eq!(setup.count(Fault::AnswerReordered), 1);
}

#[tokio::test]
async fn tags_are_weak_wrong_or_missing() {
    let setup = setup();
    let put = setup.put("body", PutMode::Overwrite).await.expect("a put").e_tag.expect("a tag");
    setup.inject(Fault::WeakTag);
    assert_eq!(setup.tag().await, Some(format!("W/{put}")));
    setup.inject(Fault::WrongTag);
    let wrong = setup.tag().await.expect("a tag");
    assert!(wrong.starts_with("\"wrong-"), "{wrong}");
    assert_ne!(setup.put("body", PutMode::Overwrite).await.expect("a put").e_tag, Some(put.clone()));
    setup.inject(Fault::NoTag);
    // The client requires a tag in the answer to a PUT.
    setup.put("body", PutMode::Overwrite).await.expect_err("no tag");
    for fault in [Fault::WeakTag, Fault::WrongTag, Fault::NoTag] {
        assert!(setup.count(fault) > 0, "{fault:?}");
    }
    setup.calm().await;
    assert_eq!(setup.tag().await, Some(put));
}

#[tokio::test]
async fn stale_read_is_an_older_answer() {
    let setup = setup();
    setup.put("old", PutMode::Overwrite).await.expect("a put");
    setup.inject(Fault::StaleRead);
    assert_eq!(setup.get().await.expect("an object"), "old", "there is no older answer");
    assert_eq!(setup.count(Fault::StaleRead), 0);
    setup.put("new", PutMode::Overwrite).await.expect("a put");
    let old = setup.client.get(&setup.key).await.expect("an object");
    let old_tag = old.meta.e_tag.clone();
    assert_eq!(old.bytes().await.expect("a body"), "old");
    setup.inject(Fault::TagOfLaterVersion);
    let mixed = setup.client.get(&setup.key).await.expect("an object");
    assert_ne!(mixed.meta.e_tag, old_tag);
    assert_eq!(mixed.bytes().await.expect("a body"), "old");
    setup.calm().await;
    assert_eq!(setup.get().await.expect("an object"), "new");
}

/// Each status, with a body of XML or HTML, and without one.
#[tokio::test]
async fn errors_have_all_statuses_and_reads_are_never_missing() {
    let setup = setup();
    setup.inject(Fault::ErrorNotApplied);
    for _ in 0..250 {
        setup.put("body", PutMode::Overwrite).await.expect_err("an error");
    }
    let tally = setup.proxy.tally();
    for status in [400, 403, 404, 408, 409, 412, 429, 500, 501, 502, 503, 504] {
        assert!(tally.contains_key(&format!("ErrorNotApplied: {status}")), "{status}: {tally:?}");
    }
    for _ in 0..150 {
        let error = setup.get().await.expect_err("an error");
        assert!(!matches!(error, Error::NotFound { .. }), "{error}");
    }
}

#[test]
fn rates_add_up_and_are_even() {
    let rates = Rates::evenly(&[Fault::RequestLost, Fault::AnswerLost, Fault::NoTag], 500);
    let shown = format!("{rates:?}");
    assert_eq!(shown, "Rates([(RequestLost, 167), (AnswerLost, 167), (NoTag, 166)])");
}
