//! Mail: handed in to a server that takes it, kept for one that does not now, ended where it never will be.

use std::sync::Mutex;
use std::time::Duration;

use countersign_auth::{Error, MailEncryption, MailServer, Message, NotSent};
use countersign_domain::{Email, MailKind, RawText};
use countersign_metrics::Form;
use countersign_store::{Mail, Queueing};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;
use tokio::sync::oneshot;

use crate::registration::by_mail;
use crate::service::{Service, rules};
use crate::smtp::{GREETING, PATIENCE, Receiver, Reply, known};

/// The mailer looks for mail every ten seconds, whether it is woken or not.
const BEFORE_IT_LOOKS: Duration = Duration::from_secs(5);

async fn words(_: &Mail) -> Result<Option<Message>, Error> {
    let (subject, body) = ("Your account".to_owned(), "Grüße,\n.\nhttps://example.org/#token=a\n".to_owned());
    Ok(Some(Message { subject, body }))
}

async fn queue(service: &Service, to: &str) {
    let address = Email::parse(&RawText::from(to)).unwrap();
    let queued = service.auth.queue_mail(MailKind::Registration, &address).await.unwrap();
    assert_eq!(queued, Queueing::Queued);
}

/// One message to a server that replies so; what it heard.
async fn send(service: &Service, receiver: &Receiver, replies: &[(&str, Reply)]) -> Vec<String> {
    let server = receiver.plain();
    let (sent, heard) = tokio::join!(service.auth.send_next_mail(&server, words), receiver.converse(replies));
    assert!(sent.unwrap());
    heard
}

/// Whether there was nothing to send. Nobody is spoken to.
async fn rests(service: &Service, server: &MailServer) -> bool {
    !service.auth.send_next_mail(server, words).await.unwrap()
}

async fn waiting(service: &Service) -> i64 {
    service.store.waiting_mails().await.unwrap()
}

fn counted(service: &Service, outcome: &str) -> bool {
    let text = service.auth.metrics_text(Form::Plain);
    text.contains(&format!("countersign_mails_total{{outcome=\"{outcome}\"}} 1\n"))
}

#[tokio::test]
async fn a_message_is_handed_in_with_its_headers_and_is_gone_then() {
    let (service, receiver) = (Service::start(by_mail()), Receiver::listen().await);
    queue(&service, "ada@example.com").await;
    let heard = send(&service, &receiver, &[]).await;
    for line in [
        "EHLO example.org",
        "MAIL FROM:<noreply@example.org>",
        "RCPT TO:<ada@example.com>",
        "From: Example <noreply@example.org>",
        "To: ada@example.com",
        "Subject: Your account",
        "Date: Thu, 01 Jan 2026 12:00:00 +0000",
        "Auto-Submitted: auto-generated",
        "Content-Type: text/plain; charset=utf-8",
        "Gr=C3=BC=C3=9Fe,",
        "..",
    ] {
        assert!(heard.iter().any(|heard| heard == line), "{line}: {heard:#?}");
    }
    let id = heard.iter().find_map(|line| line.strip_prefix("Message-ID: <")?.strip_suffix("@example.org>"));
    assert_eq!(id.unwrap().len(), 32);
    assert!(rests(&service, &receiver.plain()).await && counted(&service, "sent"));
    assert_eq!(waiting(&service).await, 0);
}

#[tokio::test]
async fn a_message_that_is_not_taken_now_is_sent_when_its_wait_is_over_under_the_same_name() {
    let (service, receiver) = (Service::start(by_mail()), Receiver::listen().await);
    queue(&service, "ada@example.com").await;
    let id = |heard: Vec<String>| heard.into_iter().find(|line| line.starts_with("Message-ID: "));
    let first = id(send(&service, &receiver, &[(".", Reply::Line("451 later"))]).await);
    assert!(first.is_some() && counted(&service, "postponed"));
    service.clock.advance_secs(29);
    assert!(rests(&service, &receiver.plain()).await);
    service.clock.advance_secs(1);
    send(&service, &receiver, &[("RCPT", Reply::Line("450 greylisted"))]).await;
    service.clock.advance_secs(59);
    assert!(rests(&service, &receiver.plain()).await, "it waits twice as long now");
    service.clock.advance_secs(1);
    assert_eq!(id(send(&service, &receiver, &[]).await), first);
    assert_eq!(waiting(&service).await, 0);
}

#[tokio::test]
async fn a_message_that_is_refused_for_good_is_not_tried_again() {
    for command in ["RCPT", "."] {
        let (service, receiver) = (Service::start(by_mail()), Receiver::listen().await);
        queue(&service, "ada@example.com").await;
        let reply = "550-5.1.1 <ada@example.com>\r\n550 5.1.1 is not here";
        send(&service, &receiver, &[(command, Reply::Line(reply))]).await;
        assert!(counted(&service, "refused"));
        assert_eq!(waiting(&service).await, 0, "{command}");
    }
}

#[tokio::test]
async fn a_server_that_does_not_take_us_costs_no_message() {
    for reply in [
        (GREETING, Reply::Line("554 5.7.1 no service for your address")),
        (GREETING, Reply::Line("550 blocked")),
        ("EHLO", Reply::Line("550 5.5.1 no such name")),
        ("MAIL", Reply::Line("530 log in first")),
        ("MAIL", Reply::Line("502 not so")),
        ("MAIL", Reply::Closes),
        ("MAIL", Reply::Line("553 5.7.1 sender address rejected: not owned by user")),
        ("MAIL", Reply::Line("550 5.1.8 sender's domain not found")),
        ("MAIL", Reply::Line("554 message rejected: address is not verified")),
        ("RCPT", Reply::Line("554 5.7.1 relay access denied")),
        ("RCPT", Reply::Line("550 relay not permitted")),
        ("RCPT", Reply::Line("550 5.1.1ada is no code")),
        (".", Reply::Line("554 5.2.252 not allowed to send as this sender")),
        (".", Reply::Line("552 5.3.4 message too big")),
    ] {
        let (service, receiver) = (Service::start(by_mail()), Receiver::listen().await);
        queue(&service, "ada@example.com").await;
        send(&service, &receiver, &[reply]).await;
        assert!(counted(&service, "postponed"), "{reply:?}");
        assert_eq!(waiting(&service).await, 1);
    }
}

#[tokio::test]
async fn of_what_a_server_says_its_codes_are_told_and_no_word() {
    let receiver = Receiver::listen().await;
    for (said, told) in [
        (
            "550 5.1.1 <ada@example.com> is not here",
            NotSent::ForGood("the mail server answered with 550 5.1.1".to_owned()),
        ),
        ("550 ada@example.com", NotSent::ForNow("the mail server answered with 550".to_owned())),
        ("450 4.7.1 later", NotSent::ForNow("the mail server answered with 450 4.7.1".to_owned())),
    ] {
        let message = Message { subject: "Hello".to_owned(), body: String::new() };
        let (server, replies) = (receiver.plain(), [("RCPT", Reply::Line(said))]);
        let now = "2026-01-01T12:00:00Z".parse().unwrap();
        let (sent, _) =
            tokio::join!(server.send("ada@example.com", message, "id", now), receiver.converse(&replies));
        assert_eq!(sent, Err(told));
    }
}

#[tokio::test]
async fn a_server_that_says_nothing_more_is_left_when_its_time_is_up() {
    for command in ["EHLO", "RCPT", "."] {
        let receiver = Receiver::listen().await;
        let server = receiver.known(MailEncryption::None, Duration::from_secs(1));
        let message = Message { subject: "Hello".to_owned(), body: String::new() };
        let now = "2026-01-01T12:00:00Z".parse().unwrap();
        let (replies, sending) =
            ([(command, Reply::Silence)], server.send("ada@example.com", message, "id", now));
        let (sent, _) = tokio::join!(sending, receiver.converse(&replies));
        let why = "the mail server did not answer within 1 s".to_owned();
        assert_eq!(sent, Err(NotSent::ForNow(why)), "{command}");
    }
}

#[tokio::test]
async fn a_server_that_cannot_be_reached_costs_no_message() {
    let (service, receiver) = (Service::start(by_mail()), Receiver::listen().await);
    queue(&service, "ada@example.com").await;
    let server = receiver.plain();
    drop(receiver);
    assert!(!rests(&service, &server).await && counted(&service, "postponed"));
    assert_eq!(waiting(&service).await, 1);
}

#[tokio::test]
async fn where_starttls_is_wanted_and_not_there_no_address_is_said() {
    let (service, receiver) = (Service::start(by_mail()), Receiver::listen().await);
    queue(&service, "ada@example.com").await;
    let server = receiver.known(MailEncryption::StartTls, Duration::from_secs(60));
    let (sent, heard) = tokio::join!(service.auth.send_next_mail(&server, words), receiver.converse(&[]));
    assert!(sent.unwrap());
    assert!(heard.iter().all(|line| line.starts_with("EHLO") || line == "QUIT"), "{heard:?}");
    assert_eq!(waiting(&service).await, 1);
}

#[tokio::test]
async fn an_address_beyond_ascii_is_for_servers_that_say_they_know_such() {
    for (greeting, is_taken) in [("250 well", false), ("250-well\r\n250-8BITMIME\r\n250 SMTPUTF8", true)] {
        let (service, receiver) = (Service::start(by_mail()), Receiver::listen().await);
        queue(&service, "ada@bücher.example").await;
        let heard = send(&service, &receiver, &[("EHLO", Reply::Line(greeting))]).await;
        assert_eq!(heard.iter().any(|line| line == "."), is_taken, "{heard:?}");
        assert!(counted(&service, if is_taken { "sent" } else { "refused" }), "{heard:?}");
        assert_eq!(waiting(&service).await, 0);
    }
}

#[tokio::test]
async fn what_else_is_wrong_with_a_server_costs_no_message_to_an_address_beyond_ascii() {
    let (service, receiver) = (Service::start(by_mail()), Receiver::listen().await);
    queue(&service, "ada@bücher.example").await;
    let server = receiver.known(MailEncryption::StartTls, Duration::from_secs(60));
    let (sent, _) = tokio::join!(service.auth.send_next_mail(&server, words), receiver.converse(&[]));
    assert!(sent.unwrap() && counted(&service, "postponed"));
    assert_eq!(waiting(&service).await, 1);
}

#[tokio::test]
async fn what_is_no_address_is_refused_before_anybody_is_spoken_to() {
    let receiver = Receiver::listen().await;
    let server = receiver.plain();
    drop(receiver);
    for text in ["ada@example.com\r\nBcc: bob@example.com", "ada@example.com>\r\nDATA", "ada", ""] {
        assert!(Email::parse(&RawText::from(text)).is_err() || text.is_empty());
        let message = Message { subject: "Hello".to_owned(), body: String::new() };
        let sent = server.send(text, message, "id", "2026-01-01T12:00:00Z".parse().unwrap()).await;
        assert!(matches!(sent, Err(NotSent::ForGood(_))), "{text}: {sent:?}");
    }
}

#[tokio::test]
async fn what_cannot_be_sent_for_a_day_is_given_up() {
    let (service, receiver) = (Service::start(by_mail()), Receiver::listen().await);
    queue(&service, "ada@example.com").await;
    let later = [("MAIL", Reply::Line("421 later"))];
    for _ in 0..8 {
        send(&service, &receiver, &later).await;
        service.clock.advance_secs(60 * 60);
    }
    service.clock.advance_secs(16 * 60 * 60);
    send(&service, &receiver, &later).await;
    assert_eq!(waiting(&service).await, 1, "a day is not over yet");
    service.clock.advance_secs(60 * 60);
    send(&service, &receiver, &later).await;
    assert!(counted(&service, "given_up"));
    assert_eq!(waiting(&service).await, 0);
}

#[tokio::test]
async fn what_lay_for_days_while_no_server_ran_has_its_attempts_all_the_same() {
    let (service, receiver) = (Service::start(by_mail()), Receiver::listen().await);
    queue(&service, "ada@example.com").await;
    service.clock.advance_secs(3 * 24 * 60 * 60);
    for _ in 0..7 {
        send(&service, &receiver, &[("RCPT", Reply::Line("450 greylisted"))]).await;
        service.clock.advance_secs(60 * 60);
    }
    let heard = send(&service, &receiver, &[]).await;
    assert!(heard.iter().any(|line| line == ".") && counted(&service, "sent"));
}

#[tokio::test]
async fn while_seven_servers_hang_an_honest_mail_is_sent() {
    let (service, receiver) = (Service::start(by_mail()), Receiver::listen().await);
    let server = receiver.plain();
    let acts = async {
        let mut hanging = Vec::new();
        for number in 0..7 {
            queue(&service, &format!("user{number}@slow.example")).await;
            hanging.push(receiver.accept().await);
        }
        queue(&service, "ada@example.com").await;
        (receiver.converse(&[]).await, hanging)
    };
    let mailer = service.auth.keep_mail(Some(&server), words, std::future::pending());
    let (heard, _hanging) = tokio::select! {
        () = mailer => unreachable!(),
        acted = tokio::time::timeout(PATIENCE, acts) => acted.expect("nobody waits for the seven"),
    };
    assert!(heard.iter().any(|line| line == "RCPT TO:<ada@example.com>"), "{heard:?}");
}

#[tokio::test]
async fn who_queues_wakes_the_mailer_and_what_it_has_begun_it_ends() {
    let (service, receiver) = (Service::start(by_mail()), Receiver::listen().await);
    let (end, ended) = oneshot::channel::<()>();
    let (server, end) = (receiver.plain(), Mutex::new(Some(end)));
    let words = async |mail: &Mail| {
        if mail.address == "user2@example.com" {
            drop(end.lock().unwrap().take());
        }
        words(mail).await
    };
    let mailer = service.auth.keep_mail(Some(&server), words, async {
        let _ = ended.await;
    });
    let acts = async {
        let mut heard = Vec::new();
        for number in 0..3 {
            queue(&service, &format!("user{number}@example.com")).await;
            let soon = tokio::time::timeout(BEFORE_IT_LOOKS, receiver.converse(&[]));
            heard = soon.await.expect("it was woken");
        }
        heard
    };
    let (heard, ()) =
        tokio::time::timeout(PATIENCE, async { tokio::join!(acts, mailer) }).await.expect("it ends");
    assert!(heard.iter().any(|line| line == "."));
    assert_eq!(waiting(&service).await, 0);
}

#[tokio::test]
async fn a_server_that_makes_no_accounts_by_mail_leaves_what_waits_to_one_that_does() {
    let (service, receiver) = (Service::start(rules()), Receiver::listen().await);
    queue(&service, "ada@example.com").await;
    assert!(rests(&service, &receiver.plain()).await);
    assert_eq!(waiting(&service).await, 1);
}

#[tokio::test]
async fn what_keeps_a_mail_from_being_sent_is_told_with_its_id() {
    let (service, receiver) = (Service::start(by_mail()), Receiver::listen().await);
    queue(&service, "ada@example.com").await;
    let fails = async |_: &Mail| Err(Error::Overloaded);
    let stuck = service.auth.send_next_mail(&receiver.plain(), fails).await.unwrap_err();
    assert!(format!("{stuck:?}").starts_with("Stuck { mail: Some("), "{stuck:?}");
    assert_eq!(waiting(&service).await, 1);
}

#[tokio::test]
async fn of_a_line_that_never_ends_no_more_is_kept_than_a_mail_server_has_to_say() {
    const FAR_TOO_MUCH: usize = 64 * 1024 * 1024;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    for encryption in [MailEncryption::None, MailEncryption::StartTls] {
        let server = known(listener.local_addr().unwrap().port(), encryption, PATIENCE);
        let message = Message { subject: "Hello".to_owned(), body: String::new() };
        let talks = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut said = 0;
            stream.write_all(b"220-").await.unwrap();
            while said < FAR_TOO_MUCH && stream.write_all(&[b'x'; 16_384]).await.is_ok() {
                said += 16_384;
            }
            said
        };
        let now = "2026-01-01T12:00:00Z".parse().unwrap();
        let both = async { tokio::join!(server.send("ada@example.com", message, "id", now), talks) };
        let (sent, said) = tokio::time::timeout(PATIENCE, both).await.expect("it is left");
        assert_eq!(sent, Err(NotSent::ForNow("what the mail server answered is no SMTP".to_owned())));
        assert!(said < FAR_TOO_MUCH, "it took {said} bytes");
    }
}
