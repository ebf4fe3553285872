//! The contract, where users are in the table of a project's own model, on both engines.

mod postgres {
    #[path = "../../contract/groups.rs"]
    mod groups;
    #[path = "../../contract/holders.rs"]
    mod holders;
    mod place;
    #[path = "../../contract/sessions.rs"]
    mod sessions;
    #[path = "../../contract/tokens.rs"]
    mod tokens;
    #[path = "../../contract/users.rs"]
    mod users;
}

mod sqlite {
    #[path = "../../contract/groups.rs"]
    mod groups;
    #[path = "../../contract/holders.rs"]
    mod holders;
    mod place;
    #[path = "../../contract/sessions.rs"]
    mod sessions;
    #[path = "../../contract/tokens.rs"]
    mod tokens;
    #[path = "../../contract/users.rs"]
    mod users;
}
