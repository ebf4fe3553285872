-- The user and token tables exactly as Django 5.2, its auth and contenttypes applications and Simple JWT's
-- token_blacklist create them on SQLite, with the rows that Django's own `migrate` leaves behind: a Django
-- project can run on this database, and there is always a way back. Nothing here may be altered later.

CREATE TABLE "django_migrations" ("id" integer NOT NULL PRIMARY KEY AUTOINCREMENT, "app" varchar(255) NOT NULL, "name" varchar(255) NOT NULL, "applied" datetime NOT NULL);
CREATE TABLE "django_content_type" ("id" integer NOT NULL PRIMARY KEY AUTOINCREMENT, "app_label" varchar(100) NOT NULL, "model" varchar(100) NOT NULL);
CREATE TABLE "auth_permission" ("id" integer NOT NULL PRIMARY KEY AUTOINCREMENT, "content_type_id" integer NOT NULL REFERENCES "django_content_type" ("id") DEFERRABLE INITIALLY DEFERRED, "codename" varchar(100) NOT NULL, "name" varchar(255) NOT NULL);
CREATE TABLE "auth_group" ("id" integer NOT NULL PRIMARY KEY AUTOINCREMENT, "name" varchar(150) NOT NULL UNIQUE);
CREATE TABLE "auth_group_permissions" ("id" integer NOT NULL PRIMARY KEY AUTOINCREMENT, "group_id" integer NOT NULL REFERENCES "auth_group" ("id") DEFERRABLE INITIALLY DEFERRED, "permission_id" integer NOT NULL REFERENCES "auth_permission" ("id") DEFERRABLE INITIALLY DEFERRED);
CREATE TABLE "auth_user" ("id" integer NOT NULL PRIMARY KEY AUTOINCREMENT, "password" varchar(128) NOT NULL, "last_login" datetime NULL, "is_superuser" bool NOT NULL, "username" varchar(150) NOT NULL UNIQUE, "last_name" varchar(150) NOT NULL, "email" varchar(254) NOT NULL, "is_staff" bool NOT NULL, "is_active" bool NOT NULL, "date_joined" datetime NOT NULL, "first_name" varchar(150) NOT NULL);
CREATE TABLE "auth_user_groups" ("id" integer NOT NULL PRIMARY KEY AUTOINCREMENT, "user_id" integer NOT NULL REFERENCES "auth_user" ("id") DEFERRABLE INITIALLY DEFERRED, "group_id" integer NOT NULL REFERENCES "auth_group" ("id") DEFERRABLE INITIALLY DEFERRED);
CREATE TABLE "auth_user_user_permissions" ("id" integer NOT NULL PRIMARY KEY AUTOINCREMENT, "user_id" integer NOT NULL REFERENCES "auth_user" ("id") DEFERRABLE INITIALLY DEFERRED, "permission_id" integer NOT NULL REFERENCES "auth_permission" ("id") DEFERRABLE INITIALLY DEFERRED);
CREATE TABLE "token_blacklist_outstandingtoken" ("token" text NOT NULL, "created_at" datetime NULL, "expires_at" datetime NOT NULL, "user_id" integer NULL REFERENCES "auth_user" ("id") DEFERRABLE INITIALLY DEFERRED, "jti" varchar(255) NOT NULL UNIQUE, "id" integer NOT NULL PRIMARY KEY AUTOINCREMENT);
CREATE TABLE "token_blacklist_blacklistedtoken" ("blacklisted_at" datetime NOT NULL, "token_id" bigint NOT NULL UNIQUE REFERENCES "token_blacklist_outstandingtoken" ("id") DEFERRABLE INITIALLY DEFERRED, "id" integer NOT NULL PRIMARY KEY AUTOINCREMENT);

CREATE INDEX "auth_group_permissions_group_id_b120cbf9" ON "auth_group_permissions" ("group_id");
CREATE UNIQUE INDEX "auth_group_permissions_group_id_permission_id_0cd325b0_uniq" ON "auth_group_permissions" ("group_id", "permission_id");
CREATE INDEX "auth_group_permissions_permission_id_84c5c92e" ON "auth_group_permissions" ("permission_id");
CREATE INDEX "auth_permission_content_type_id_2f476e4b" ON "auth_permission" ("content_type_id");
CREATE UNIQUE INDEX "auth_permission_content_type_id_codename_01ab375a_uniq" ON "auth_permission" ("content_type_id", "codename");
CREATE INDEX "auth_user_groups_group_id_97559544" ON "auth_user_groups" ("group_id");
CREATE INDEX "auth_user_groups_user_id_6a12ed8b" ON "auth_user_groups" ("user_id");
CREATE UNIQUE INDEX "auth_user_groups_user_id_group_id_94350c0c_uniq" ON "auth_user_groups" ("user_id", "group_id");
CREATE INDEX "auth_user_user_permissions_permission_id_1fbb5f2c" ON "auth_user_user_permissions" ("permission_id");
CREATE INDEX "auth_user_user_permissions_user_id_a95ead1b" ON "auth_user_user_permissions" ("user_id");
CREATE UNIQUE INDEX "auth_user_user_permissions_user_id_permission_id_14a6b632_uniq" ON "auth_user_user_permissions" ("user_id", "permission_id");
CREATE UNIQUE INDEX "django_content_type_app_label_model_76bd3d3b_uniq" ON "django_content_type" ("app_label", "model");
CREATE INDEX "token_blacklist_outstandingtoken_user_id_83bc629a" ON "token_blacklist_outstandingtoken" ("user_id");

INSERT INTO django_migrations (id, app, name, applied) VALUES
  (1, 'contenttypes', '0001_initial', strftime('%Y-%m-%d %H:%M:%f', 'now')),
  (2, 'contenttypes', '0002_remove_content_type_name', strftime('%Y-%m-%d %H:%M:%f', 'now')),
  (3, 'auth', '0001_initial', strftime('%Y-%m-%d %H:%M:%f', 'now')),
  (4, 'auth', '0002_alter_permission_name_max_length', strftime('%Y-%m-%d %H:%M:%f', 'now')),
  (5, 'auth', '0003_alter_user_email_max_length', strftime('%Y-%m-%d %H:%M:%f', 'now')),
  (6, 'auth', '0004_alter_user_username_opts', strftime('%Y-%m-%d %H:%M:%f', 'now')),
  (7, 'auth', '0005_alter_user_last_login_null', strftime('%Y-%m-%d %H:%M:%f', 'now')),
  (8, 'auth', '0006_require_contenttypes_0002', strftime('%Y-%m-%d %H:%M:%f', 'now')),
  (9, 'auth', '0007_alter_validators_add_error_messages', strftime('%Y-%m-%d %H:%M:%f', 'now')),
  (10, 'auth', '0008_alter_user_username_max_length', strftime('%Y-%m-%d %H:%M:%f', 'now')),
  (11, 'auth', '0009_alter_user_last_name_max_length', strftime('%Y-%m-%d %H:%M:%f', 'now')),
  (12, 'auth', '0010_alter_group_name_max_length', strftime('%Y-%m-%d %H:%M:%f', 'now')),
  (13, 'auth', '0011_update_proxy_permissions', strftime('%Y-%m-%d %H:%M:%f', 'now')),
  (14, 'auth', '0012_alter_user_first_name_max_length', strftime('%Y-%m-%d %H:%M:%f', 'now')),
  (15, 'token_blacklist', '0001_initial', strftime('%Y-%m-%d %H:%M:%f', 'now')),
  (16, 'token_blacklist', '0002_outstandingtoken_jti_hex', strftime('%Y-%m-%d %H:%M:%f', 'now')),
  (17, 'token_blacklist', '0003_auto_20171017_2007', strftime('%Y-%m-%d %H:%M:%f', 'now')),
  (18, 'token_blacklist', '0004_auto_20171017_2013', strftime('%Y-%m-%d %H:%M:%f', 'now')),
  (19, 'token_blacklist', '0005_remove_outstandingtoken_jti', strftime('%Y-%m-%d %H:%M:%f', 'now')),
  (20, 'token_blacklist', '0006_auto_20171017_2113', strftime('%Y-%m-%d %H:%M:%f', 'now')),
  (21, 'token_blacklist', '0007_auto_20171017_2214', strftime('%Y-%m-%d %H:%M:%f', 'now')),
  (22, 'token_blacklist', '0008_migrate_to_bigautofield', strftime('%Y-%m-%d %H:%M:%f', 'now')),
  (23, 'token_blacklist', '0010_fix_migrate_to_bigautofield', strftime('%Y-%m-%d %H:%M:%f', 'now')),
  (24, 'token_blacklist', '0011_linearizes_history', strftime('%Y-%m-%d %H:%M:%f', 'now')),
  (25, 'token_blacklist', '0012_alter_outstandingtoken_user', strftime('%Y-%m-%d %H:%M:%f', 'now')),
  (26, 'token_blacklist', '0013_alter_blacklistedtoken_options_and_more', strftime('%Y-%m-%d %H:%M:%f', 'now'));

INSERT INTO django_content_type (id, app_label, model) VALUES
  (1, 'auth', 'permission'),
  (2, 'auth', 'group'),
  (3, 'auth', 'user'),
  (4, 'contenttypes', 'contenttype'),
  (5, 'token_blacklist', 'blacklistedtoken'),
  (6, 'token_blacklist', 'outstandingtoken');

INSERT INTO auth_permission (id, content_type_id, codename, name) VALUES
  (1, 1, 'add_permission', 'Can add permission'),
  (2, 1, 'change_permission', 'Can change permission'),
  (3, 1, 'delete_permission', 'Can delete permission'),
  (4, 1, 'view_permission', 'Can view permission'),
  (5, 2, 'add_group', 'Can add group'),
  (6, 2, 'change_group', 'Can change group'),
  (7, 2, 'delete_group', 'Can delete group'),
  (8, 2, 'view_group', 'Can view group'),
  (9, 3, 'add_user', 'Can add user'),
  (10, 3, 'change_user', 'Can change user'),
  (11, 3, 'delete_user', 'Can delete user'),
  (12, 3, 'view_user', 'Can view user'),
  (13, 4, 'add_contenttype', 'Can add content type'),
  (14, 4, 'change_contenttype', 'Can change content type'),
  (15, 4, 'delete_contenttype', 'Can delete content type'),
  (16, 4, 'view_contenttype', 'Can view content type'),
  (17, 5, 'add_blacklistedtoken', 'Can add Blacklisted Token'),
  (18, 5, 'change_blacklistedtoken', 'Can change Blacklisted Token'),
  (19, 5, 'delete_blacklistedtoken', 'Can delete Blacklisted Token'),
  (20, 5, 'view_blacklistedtoken', 'Can view Blacklisted Token'),
  (21, 6, 'add_outstandingtoken', 'Can add Outstanding Token'),
  (22, 6, 'change_outstandingtoken', 'Can change Outstanding Token'),
  (23, 6, 'delete_outstandingtoken', 'Can delete Outstanding Token'),
  (24, 6, 'view_outstandingtoken', 'Can view Outstanding Token');
