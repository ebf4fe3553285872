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
    /// An inactive user, whom `CHECK_USER_IS_ACTIVE=False` lets in, has nothing that could be wanted. As in Django, a
    /// superuser has every permission, be it there or not; that does not make one a member of a group.
    pub async fn pass(&self, caller: &Caller, wanted: &Access) -> Result<Vec<String>, Error> {
        let user = &caller.user;
        let groups = self.store.list_groups(user.id).await?;
        let is_member = wanted.one_of_groups.is_empty()
            || wanted.one_of_groups.iter().any(|wanted| groups.contains(wanted));
        let is_enough = user.is_active
            && is_member
            && (user.is_staff || !wanted.staff)
            && (user.is_superuser || !wanted.superuser)
            && self.has_permissions(user, &wanted.permissions).await?;
        if is_enough || *wanted == Access::default() { Ok(groups) } else { Err(Error::PermissionDenied) }
    }

    async fn has_permissions(&self, user: &User, wanted: &[String]) -> Result<bool, Error> {
        if wanted.is_empty() || user.is_superuser {
            return Ok(true);
        }
        let permissions = self.store.list_permissions(user.id).await?;
        Ok(wanted.iter().all(|wanted| permissions.contains(wanted)))
    }
}
