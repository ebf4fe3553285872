//! `sslmode` and the root certificates, against a real server with certificates made here.

use countersign_store::{DatabaseUrl, PoolOptions, Store, StoreError};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tempfile::TempDir;

use crate::cluster::{Cluster, Database, Extras};

/// A server that lets nobody in without encryption, and files with certificates to trust.
struct Encrypted {
    database: Database,
    files: TempDir,
}

impl Encrypted {
    /// The server's certificate is for `localhost`, and for no address.
    fn start() -> Option<Self> {
        let authority = authority();
        let key = KeyPair::generate().unwrap();
        let server = CertificateParams::new(["localhost".to_owned()]).unwrap();
        let certificate = server.signed_by(&key, &authority).unwrap();
        let extras = Extras {
            settings: "ssl = on\nssl_cert_file = '../server.crt'\nssl_key_file = '../server.key'".to_owned(),
            // Our own test connections go without; those of a user who has a password do not.
            access: "host all countersign all trust\nhostssl all ada all trust".to_owned(),
            files: vec![("server.crt", certificate.pem()), ("server.key", key.serialize_pem())],
        };
        let database = Cluster::of_its_own(&extras)?.database();
        let name = database.rows("CREATE ROLE ada LOGIN; SELECT current_database()").remove(0);
        database.rows(&format!("ALTER DATABASE {name} OWNER TO ada; ALTER SCHEMA public OWNER TO ada"));
        let files = tempfile::tempdir().unwrap();
        std::fs::write(files.path().join("good.pem"), authority.pem()).unwrap();
        std::fs::write(files.path().join("other.pem"), self::authority().pem()).unwrap();
        std::fs::write(files.path().join("server.pem"), certificate.pem()).unwrap();
        Some(Self { database, files })
    }

    /// Opens the database as Ada by the name of this host; `~` stands for the directory of the certificates.
    async fn open(&self, host: &str, parameters: &str) -> Result<(), StoreError> {
        let url = self.url(host, parameters).parse::<DatabaseUrl>().unwrap();
        Store::open(&url, &PoolOptions::default()).await.map(drop)
    }

    async fn refusal(&self, host: &str, parameters: &str) -> String {
        let error = self.open(host, parameters).await.unwrap_err();
        assert!(matches!(error, StoreError::Open { .. }), "no use in trying again: {error:?}");
        assert!(!format!("{error} {error:?}").contains("a-secret"));
        error.to_string()
    }

    fn url(&self, host: &str, parameters: &str) -> String {
        let url = self.database.url().replace("countersign@127.0.0.1", &format!("ada:a-secret@{host}"));
        format!("{url}?{}", parameters.replace('~', self.files.path().to_str().unwrap()))
    }
}

fn authority() -> CertifiedIssuer<'static, KeyPair> {
    let mut parameters = CertificateParams::default();
    parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(parameters, KeyPair::generate().unwrap()).unwrap()
}

#[tokio::test]
async fn each_sslmode_demands_what_libpq_says() {
    let Some(server) = Encrypted::start() else { return };
    for accepted in ["", "sslmode=allow", "sslmode=prefer", "sslmode=require"] {
        server.open("127.0.0.1", accepted).await.unwrap();
    }
    for roots in ["good", "server"] {
        for mode in ["prefer", "require", "verify-ca", "verify-full"] {
            server.open("localhost", &format!("sslmode={mode}&sslrootcert=~/{roots}.pem")).await.unwrap();
        }
    }
    for roots in ["good", "server"] {
        for mode in ["require", "verify-ca"] {
            server.open("127.0.0.1", &format!("sslmode={mode}&sslrootcert=~/{roots}.pem")).await.unwrap();
        }
        let refusal =
            server.refusal("127.0.0.1", &format!("sslmode=verify-full&sslrootcert=~/{roots}.pem")).await;
        assert!(refusal.contains("or set sslmode=verify-ca"), "{refusal}");
    }
    for mode in ["prefer", "require", "verify-ca", "verify-full"] {
        let refusal = server.refusal("localhost", &format!("sslmode={mode}&sslrootcert=~/other.pem")).await;
        assert!(refusal.contains("none of those that sslrootcert in DATABASE_URL"), "{mode}: {refusal}");
    }
    let refusal = server.refusal("localhost", "sslmode=disable").await;
    assert!(refusal.contains("no encryption; sslmode=require in DATABASE_URL"), "{refusal}");
    let refusal = server.refusal("localhost", "sslrootcert=system").await;
    assert!(refusal.contains("sslrootcert in DATABASE_URL"), "not one of the machine's: {refusal}");
}

#[tokio::test]
async fn a_certificate_that_cannot_be_used_is_told_with_its_setting() {
    let Some(server) = Encrypted::start() else { return };
    std::fs::write(server.files.path().join("empty.pem"), "nothing").unwrap();
    for (parameters, sentence) in [
        ("sslmode=verify-full", "sslrootcert of DATABASE_URL or in PGSSLROOTCERT"),
        ("sslrootcert=~/none.pem", "sslrootcert in DATABASE_URL names"),
        ("sslrootcert=~/empty.pem", "which holds no certificate in PEM"),
        ("sslmode=require&sslrootcert=system", "set sslmode=verify-full"),
    ] {
        let refusal = server.refusal("localhost", parameters).await;
        assert!(refusal.contains(sentence), "{parameters}: {refusal}");
    }
    let place = server.files.path().join("good.pem");
    let url: DatabaseUrl = server.url("localhost", "sslmode=verify-full").parse().unwrap();
    let url = url.or_root_certificates("PGSSLROOTCERT", place.to_str().unwrap());
    Store::open(&url, &PoolOptions::default()).await.unwrap();
    let url: DatabaseUrl = server.url("localhost", "").parse().unwrap();
    let refused =
        Store::open(&url.or_root_certificates("PGSSLROOTCERT", "none"), &PoolOptions::default()).await;
    let refusal = refused.err().unwrap().to_string();
    assert!(refusal.contains("PGSSLROOTCERT names none, which cannot be read"), "{refusal}");
}

#[tokio::test]
async fn a_server_that_does_not_encrypt_is_refused_where_that_is_demanded() {
    let Some(cluster) = Cluster::shared() else { return };
    let database = cluster.database();
    if database.rows("SHOW ssl") != ["off"] {
        return; // it was given to us, and does
    }
    let open = async |mode| {
        let url = format!("{}?sslmode={mode}", database.url()).parse().unwrap();
        Store::open(&url, &PoolOptions::default()).await.map(drop)
    };
    for mode in ["disable", "prefer"] {
        open(mode).await.unwrap();
    }
    let refusal = open("require").await.unwrap_err().to_string();
    assert!(refusal.contains("the server does not encrypt, as sslmode in DATABASE_URL demands"), "{refusal}");
}
