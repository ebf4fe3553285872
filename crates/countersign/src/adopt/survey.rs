//! What kinds of users and tokens a database has, page by page.

use std::collections::{BTreeMap, HashMap};
use std::hash::{BuildHasher, RandomState};

use countersign_auth::Clock;
use countersign_domain::{UserId, lower, nfkc};
use countersign_password::{Algorithm, Hashers, Refusal};
use countersign_store::{Prospect, UserSighted};

use crate::program::Failure;

/// Examples of a kind, at the most.
const EXAMPLES: usize = 10;

/// The users, counted.
#[derive(Default)]
pub struct Users {
    pub total: u64,
    pub superusers: u64,
    pub staff: u64,
    pub inactive: u64,
    /// Without a password that could be right.
    pub unusable: u64,
    /// By what their hash string names; without the unusable ones.
    pub families: BTreeMap<String, Family>,
    pub emails: Collisions,
    /// How many names are otherwise in normalisation form KC, and ids of some.
    pub names_not_nfkc: (u64, Vec<UserId>),
}

/// Users whose hashes are of one kind.
#[derive(Default)]
pub struct Family {
    pub users: u64,
    /// Those whose password we can verify.
    pub verified: u64,
    /// What `LEGACY_PASSWORD_HASHERS` would have to say for that.
    pub needs: Option<&'static str>,
}

/// Addresses that several users share, case aside.
#[derive(Default)]
pub struct Collisions {
    pub addresses: u64,
    pub users: u64,
    /// Users of the same address, of some.
    pub examples: Vec<Vec<UserId>>,
}

/// The recorded tokens, counted.
#[derive(Default)]
pub struct Tokens {
    pub live: u64,
    pub expired: u64,
    pub blacklisted: u64,
}

/// Counts the users; `at` is told how far it is.
pub async fn survey_users(
    prospect: &Prospect,
    hashers: &Hashers,
    at: impl Fn(u64),
) -> Result<Users, Failure> {
    let mut users = Users::default();
    let mut addresses = Addresses::default();
    let mut last = None;
    loop {
        let page = prospect.users_after(last).await?;
        let Some(end) = page.last() else { break };
        last = Some(end.id);
        for user in &page {
            users.count(user, hashers);
            addresses.count(user);
        }
        at(end.id.number().map_or(users.total, i64::unsigned_abs));
    }
    users.emails = addresses.collisions();
    Ok(users)
}

/// Counts the recorded tokens; `at` is told how far it is.
pub async fn survey_tokens(prospect: &Prospect, at: impl Fn(u64)) -> Result<Tokens, Failure> {
    let now = Clock::System.now();
    let mut tokens = Tokens::default();
    let mut last = i64::MIN;
    loop {
        let page = prospect.tokens_after(last, now).await?;
        let Some(end) = page.last() else { return Ok(tokens) };
        last = end.id;
        for token in &page {
            tokens.live += u64::from(token.is_live);
            tokens.expired += u64::from(!token.is_live);
            tokens.blacklisted += u64::from(token.is_blacklisted);
        }
        at(last.unsigned_abs());
    }
}

impl Users {
    fn count(&mut self, user: &UserSighted, hashers: &Hashers) {
        self.total += 1;
        self.superusers += u64::from(user.is_superuser);
        self.staff += u64::from(user.is_staff);
        self.inactive += u64::from(!user.is_active);
        if nfkc(&user.username) != user.username {
            self.names_not_nfkc.0 += 1;
            if self.names_not_nfkc.1.len() < EXAMPLES {
                self.names_not_nfkc.1.push(user.id);
            }
        }
        let recognised = hashers.recognise(user.password.as_str());
        if recognised == Err(Refusal::Unusable) {
            self.unusable += 1;
            return;
        }
        let named = user.password.as_str().split('$').next().and_then(Algorithm::from_name);
        let name = named.map_or("unknown", Algorithm::name); // not its text, which may be anything
        let family = self.families.entry(name.to_owned()).or_default();
        family.users += 1;
        family.verified += u64::from(recognised.is_ok());
        if let (Err(Refusal::UnknownAlgorithm), Some(algorithm @ (Algorithm::Md5 | Algorithm::Bcrypt))) =
            (recognised, named)
        {
            family.needs = Some(algorithm.name());
        }
    }
}

/// The first user of each address, which is kept as a number: a few million have to fit into memory.
#[derive(Default)]
struct Addresses {
    state: RandomState,
    first: HashMap<u64, UserId>,
    shared: BTreeMap<u64, Vec<UserId>>,
    users: u64,
}

impl Addresses {
    fn count(&mut self, user: &UserSighted) {
        if user.email.is_empty() {
            return;
        }
        // What Django's password reset compares: form KC, with the case folded.
        let folded = lower(&nfkc(&user.email).to_uppercase());
        let number = self.state.hash_one(folded);
        match self.first.get(&number) {
            None => drop(self.first.insert(number, user.id)),
            Some(first) => {
                let ids = self.shared.entry(number).or_insert_with(|| {
                    self.users += 1;
                    vec![*first]
                });
                self.users += 1;
                if ids.len() < EXAMPLES {
                    ids.push(user.id);
                }
            }
        }
    }

    fn collisions(self) -> Collisions {
        let addresses = self.shared.len() as u64;
        let mut examples: Vec<Vec<UserId>> = self.shared.into_values().collect();
        examples.sort_unstable();
        examples.truncate(EXAMPLES);
        Collisions { addresses, users: self.users, examples }
    }
}
