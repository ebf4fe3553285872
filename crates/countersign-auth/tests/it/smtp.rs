//! A mail server that says what it is told to say, and keeps what it hears.

use std::time::Duration;

use countersign_auth::{MailEncryption, MailServer, MailSettings, Sender};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;
use tokio::net::tcp::OwnedWriteHalf;

/// What it answers a command with, in the place of yes.
#[derive(Clone, Copy)]
pub enum Reply {
    Line(&'static str),
    /// It ends the connection.
    Closes,
    /// It says nothing more.
    Silence,
}

pub struct Receiver(TcpListener);

impl Receiver {
    pub async fn listen() -> Self {
        Self(TcpListener::bind("127.0.0.1:0").await.unwrap())
    }

    /// How a client of ours knows it, with so much patience.
    pub fn known(&self, encryption: MailEncryption, timeout: Duration) -> MailServer {
        let settings = MailSettings {
            host: "127.0.0.1".to_owned(),
            port: self.0.local_addr().unwrap().port(),
            encryption,
            login: None,
            timeout,
            sender: Sender::parse("Example <noreply@example.org>").unwrap(),
        };
        MailServer::new(&settings).unwrap()
    }

    pub fn plain(&self) -> MailServer {
        self.known(MailEncryption::None, Duration::from_secs(60))
    }

    /// One conversation, with these replies to commands that begin so; the lines that were heard.
    pub async fn converse(&self, replies: &[(&str, Reply)]) -> Vec<String> {
        let (stream, _) = self.0.accept().await.unwrap();
        let (reader, mut writer) = stream.into_split();
        let mut lines = BufReader::new(reader).lines();
        let (mut heard, mut in_message) = (Vec::new(), false);
        say(&mut writer, "220 mail.example.org").await;
        while let Ok(Some(line)) = lines.next_line().await {
            heard.push(line.clone());
            if in_message && line != "." {
                continue;
            }
            let told = replies.iter().find(|(command, _)| line.starts_with(command)).map(|(_, reply)| *reply);
            match told.unwrap_or_else(|| Reply::Line(usual(&line))) {
                Reply::Line(reply) => {
                    in_message = reply.starts_with("354");
                    say(&mut writer, reply).await;
                }
                Reply::Closes => return heard,
                Reply::Silence => while let Ok(Some(_)) = lines.next_line().await {},
            }
        }
        heard
    }
}

async fn say(writer: &mut OwnedWriteHalf, line: &str) {
    let _ = writer.write_all(format!("{line}\r\n").as_bytes()).await; // who has gone hears nothing
}

fn usual(line: &str) -> &'static str {
    match line.split(' ').next() {
        Some("DATA") => "354 go on",
        Some("QUIT") => "221 bye",
        _ => "250 well",
    }
}
