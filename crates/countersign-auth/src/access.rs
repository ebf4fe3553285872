//! What a user may do, as Django keeps it: groups, permissions, staff and superuser.

use countersign_domain::User;

use crate::{Auth, Caller, Error};

/// What a caller must have to pass.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Access {
    /// Membership in one of these groups; any user may pass if there are none.
    pub one_of_groups: Vec<String>,
    /// Each of these permissions, as `app_label.codename`.
    pub permissions: Vec<String>,
    /// Django's `is_staff`.
    pub staff: bool,
    /// Django's `is_superuser`.
    pub superuser: bool,
}

impl Auth {
    /// The names of the caller's groups, if the caller has all that is wanted; else [`Error::PermissionDenied`].
    ///
    /// As in Django, an inactive user has no permission, and an active superuser each, be it there or not. Being a
    /// superuser does not make one a member of a group.
    pub async fn pass(&self, caller: &Caller, wanted: &Access) -> Result<Vec<String>, Error> {
        let user = &caller.user;
        let groups = self.store.list_groups(user.id).await?;
        let is_member = wanted.one_of_groups.is_empty()
            || wanted.one_of_groups.iter().any(|wanted| groups.contains(wanted));
        let is_enough = is_member
            && (user.is_staff || !wanted.staff)
            && (user.is_superuser || !wanted.superuser)
            && self.has_permissions(user, &wanted.permissions).await?;
        if is_enough { Ok(groups) } else { Err(Error::PermissionDenied) }
    }

    async fn has_permissions(&self, user: &User, wanted: &[String]) -> Result<bool, Error> {
        if wanted.is_empty() || (user.is_active && user.is_superuser) {
            return Ok(true);
        }
        if !user.is_active {
            return Ok(false);
        }
        let permissions = self.store.list_permissions(user.id).await?;
        Ok(wanted.iter().all(|wanted| permissions.contains(wanted)))
    }
}
