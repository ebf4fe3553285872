//! A mail server that says what it is told to say, and keeps what it hears.

use std::time::Duration;

use countersign_auth::{MailEncryption, MailServer, MailSettings, Sender};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::tcp::OwnedWriteHalf;
use tokio::net::{TcpListener, TcpStream};

/// How long a test waits for somebody who should come, or be done.
pub const PATIENCE: Duration = Duration::from_secs(30);
/// What stands for the first word of the server in a list of replies.
pub const GREETING: &str = "(greeting)";

/// What it answers a command with, in the place of yes.
#[derive(Debug, Clone, Copy)]
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
        known(self.0.local_addr().unwrap().port(), encryption, timeout)
    }

    pub fn plain(&self) -> MailServer {
        self.known(MailEncryption::None, Duration::from_secs(60))
    }

    /// Somebody who came, and is told nothing.
    pub async fn accept(&self) -> TcpStream {
        let (stream, _) = self.0.accept().await.unwrap();
        stream
    }

    /// One conversation, with these replies to commands that begin so; the lines that were heard.
    pub async fn converse(&self, replies: &[(&str, Reply)]) -> Vec<String> {
        let heard = tokio::time::timeout(PATIENCE, self.converse_to_the_end(replies));
        heard.await.expect("somebody comes, and goes again")
    }

    async fn converse_to_the_end(&self, replies: &[(&str, Reply)]) -> Vec<String> {
        let (stream, _) = self.0.accept().await.unwrap();
        let (reader, mut writer) = stream.into_split();
        let mut lines = BufReader::new(reader).lines();
        let (mut heard, mut in_message) = (Vec::new(), false);
        let told_to_greet = replies.iter().find(|(command, _)| *command == GREETING);
        let Reply::Line(greeting) =
            told_to_greet.map_or(Reply::Line("220 mail.example.org"), |(_, reply)| *reply)
        else {
            panic!("a greeting is a line")
        };
        say(&mut writer, greeting).await;
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

/// How a client of ours knows whoever listens there.
pub fn known(port: u16, encryption: MailEncryption, timeout: Duration) -> MailServer {
    let settings = MailSettings {
        host: "127.0.0.1".to_owned(),
        port,
        encryption,
        login: None,
        timeout,
        sender: Sender::parse("Example <noreply@example.org>").unwrap(),
    };
    MailServer::new(&settings).unwrap()
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
