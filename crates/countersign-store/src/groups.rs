//! `auth_group` and `auth_permission`, as Django keeps them; read only.

use countersign_domain::UserId;

use crate::sqlite::all;
use crate::{Store, StoreError};

impl Store {
    /// The names of a user's groups, sorted.
    pub fn list_groups(&self, user: UserId) -> Result<Vec<String>, StoreError> {
        let sql = "SELECT g.name
                     FROM auth_user_groups AS m JOIN auth_group AS g ON g.id = m.group_id
                    WHERE m.user_id = $1
                    ORDER BY g.name";
        self.sqlite.read(|connection| all(connection, sql, &[&user.get()], |row| row.get(0)))
    }

    /// The permissions of a user, own and of groups, as `app_label.codename`, sorted.
    pub fn list_permissions(&self, user: UserId) -> Result<Vec<String>, StoreError> {
        let sql = "SELECT c.app_label || '.' || p.codename
                     FROM auth_permission AS p JOIN django_content_type AS c ON c.id = p.content_type_id
                    WHERE p.id IN (
                          SELECT permission_id FROM auth_user_user_permissions WHERE user_id = $1
                          UNION
                          SELECT gp.permission_id
                            FROM auth_user_groups AS m
                            JOIN auth_group_permissions AS gp ON gp.group_id = m.group_id
                           WHERE m.user_id = $1)
                    ORDER BY 1";
        self.sqlite.read(|connection| all(connection, sql, &[&user.get()], |row| row.get(0)))
    }

    /// Every permission there is, which is what a superuser has, as `app_label.codename`, sorted.
    pub fn list_all_permissions(&self) -> Result<Vec<String>, StoreError> {
        let sql = "SELECT c.app_label || '.' || p.codename
                     FROM auth_permission AS p JOIN django_content_type AS c ON c.id = p.content_type_id
                    ORDER BY 1";
        self.sqlite.read(|connection| all(connection, sql, &[], |row| row.get(0)))
    }
}
