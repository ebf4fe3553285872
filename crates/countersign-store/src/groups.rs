//! `auth_group` and `auth_permission`, as Django keeps them; read only.

use countersign_domain::UserId;

use crate::{Store, StoreError};

impl Store {
    /// The names of a user's groups, sorted.
    pub async fn list_groups(&self, user: UserId) -> Result<Vec<String>, StoreError> {
        let sql = "SELECT g.name
                     FROM auth_user_groups AS m JOIN auth_group AS g ON g.id = m.group_id
                    WHERE m.user_id = $1";
        let names = self.engine.all(sql, &[user.into()], |row| row.get(0)).await?;
        Ok(sorted(names))
    }

    /// The permissions of a user, own and of groups, as `app_label.codename`, sorted.
    pub async fn list_permissions(&self, user: UserId) -> Result<Vec<String>, StoreError> {
        let sql = "SELECT c.app_label || '.' || p.codename
                     FROM auth_permission AS p JOIN django_content_type AS c ON c.id = p.content_type_id
                    WHERE p.id IN (
                          SELECT permission_id FROM auth_user_user_permissions WHERE user_id = $1
                          UNION
                          SELECT gp.permission_id
                            FROM auth_user_groups AS m
                            JOIN auth_group_permissions AS gp ON gp.group_id = m.group_id
                           WHERE m.user_id = $1)";
        let names = self.engine.all(sql, &[user.into()], |row| row.get(0)).await?;
        Ok(sorted(names))
    }

    /// Every permission there is, which is what a superuser has, as `app_label.codename`, sorted.
    pub async fn list_all_permissions(&self) -> Result<Vec<String>, StoreError> {
        let sql = "SELECT c.app_label || '.' || p.codename
                     FROM auth_permission AS p JOIN django_content_type AS c ON c.id = p.content_type_id";
        Ok(sorted(self.engine.all(sql, &[], |row| row.get(0)).await?))
    }
}

/// Sorted here: each database has its own mind about the order of texts.
fn sorted(mut names: Vec<String>) -> Vec<String> {
    names.sort_unstable();
    names
}
