//! `TOKEN_CLAIMS`: what tokens say of their user beside Simple JWT's claims, without code.

use countersign_domain::User;
use countersign_token::json::Value;

use crate::{Auth, Error};

/// A claim, and what it holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenClaim {
    /// The claim's name.
    pub name: String,
    /// What it holds.
    pub source: ClaimSource,
}

/// What a claim can hold: a field of the user, or what Django knows of the user's rights.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are those of Django's user model")]
pub enum ClaimSource {
    Username,
    Email,
    FirstName,
    LastName,
    IsActive,
    IsStaff,
    IsSuperuser,
    /// The names of the user's groups.
    Groups,
    /// Django's `get_all_permissions()`, sorted: `app_label.codename`, of the user and of the groups; all of them for a
    /// superuser, none for an inactive user.
    Permissions,
}

impl ClaimSource {
    /// Every source.
    pub const ALL: [Self; 9] = [
        Self::Username,
        Self::Email,
        Self::FirstName,
        Self::LastName,
        Self::IsActive,
        Self::IsStaff,
        Self::IsSuperuser,
        Self::Groups,
        Self::Permissions,
    ];

    /// The name in settings: that of the field of Django's user model.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Username => "username",
            Self::Email => "email",
            Self::FirstName => "first_name",
            Self::LastName => "last_name",
            Self::IsActive => "is_active",
            Self::IsStaff => "is_staff",
            Self::IsSuperuser => "is_superuser",
            Self::Groups => "groups",
            Self::Permissions => "permissions",
        }
    }

    /// The source with this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|source| source.name() == name)
    }
}

impl Auth {
    /// The claims of the deployment's own, as they are for the user now.
    pub(crate) async fn added_claims(&self, user: &User) -> Result<Vec<(String, Value)>, Error> {
        let mut claims = Vec::with_capacity(self.rules.token_claims.len());
        for claim in &self.rules.token_claims {
            claims.push((claim.name.clone(), self.value_of_claim(claim.source, user).await?));
        }
        Ok(claims)
    }

    async fn value_of_claim(&self, source: ClaimSource, user: &User) -> Result<Value, Error> {
        Ok(match source {
            ClaimSource::Username => user.username.as_str().into(),
            ClaimSource::Email => user.email.as_str().into(),
            ClaimSource::FirstName => user.first_name.as_str().into(),
            ClaimSource::LastName => user.last_name.as_str().into(),
            ClaimSource::IsActive => user.is_active.into(),
            ClaimSource::IsStaff => user.is_staff.into(),
            ClaimSource::IsSuperuser => user.is_superuser.into(),
            ClaimSource::Groups => strings(self.store.list_groups(user.id).await?),
            ClaimSource::Permissions if !user.is_active => strings(Vec::new()),
            ClaimSource::Permissions if user.is_superuser => {
                strings(self.store.list_all_permissions().await?)
            }
            ClaimSource::Permissions => strings(self.store.list_permissions(user.id).await?),
        })
    }
}

fn strings(texts: Vec<String>) -> Value {
    Value::Array(texts.into_iter().map(Value::from).collect())
}
