//! Every reason for which a request is refused, once: its stable code, its status, what brings it about, and what the
//! client should do. The log, the document at `/openapi.json` and `docs/errors.md` have it from here.

use http::StatusCode;

/// Declares the codes and what is known of each.
macro_rules! codes {
    ($($name:ident: $code:literal, $status:ident, $cause:literal, $remedy:literal;)*) => {
        /// Why a request is refused.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub(crate) enum Code {
            $($name,)*
        }

        impl Code {
            /// Every code, in the order in which they are documented.
            pub(crate) const ALL: &[Self] = &[$(Self::$name,)*];

            fn entry(self) -> &'static Entry {
                match self {
                    $(Self::$name => &Entry {
                        code: $code, status: StatusCode::$status, cause: $cause, remedy: $remedy,
                    },)*
                }
            }
        }
    };
}

struct Entry {
    code: &'static str,
    status: StatusCode,
    cause: &'static str,
    remedy: &'static str,
}

impl Code {
    /// The name that does not change.
    pub(crate) fn name(self) -> &'static str {
        self.entry().code
    }

    /// The status of the answer.
    pub(crate) fn status(self) -> StatusCode {
        self.entry().status
    }

    /// What brings it about.
    pub(crate) fn cause(self) -> &'static str {
        self.entry().cause
    }

    /// What the client should do.
    pub(crate) fn remedy(self) -> &'static str {
        self.entry().remedy
    }
}

codes! {
    Invalid: "invalid", BAD_REQUEST,
        "Fields of the body are missing or wrong. The body has a member for each, with all its sentences.",
        "Show the sentences beside the fields, and let the user correct them.";
    NoActiveAccount: "no_active_account", UNAUTHORIZED,
        "No such user, a wrong password, or an inactive account. Which of them is not told.",
        "Ask for the credentials again.";
    NoActiveAccountForToken: "no_active_account_for_token", UNAUTHORIZED,
        "The user of the refresh token is inactive or deleted.",
        "Forget the tokens, and show the login.";
    TokenNotValid: "token_not_valid", UNAUTHORIZED,
        "The token in the body is malformed, forged, expired, of another kind, blacklisted, or of a session that has ended.",
        "Forget the tokens, and show the login.";
    TokenBlacklisted: "token_blacklisted", BAD_REQUEST,
        "The token to verify is blacklisted, exchanged, or of a session that has ended.",
        "Treat the token as bad.";
    NotAuthenticated: "not_authenticated", UNAUTHORIZED,
        "The endpoint needs a bearer token, and there is none.",
        "Send `Authorization: Bearer ACCESS`.";
    BadAuthorizationHeader: "bad_authorization_header", UNAUTHORIZED,
        "The header `Authorization` begins with `Bearer`, but is not two words.",
        "Send `Authorization: Bearer ACCESS`.";
    BearerTokenNotValid: "bearer_token_not_valid", UNAUTHORIZED,
        "The bearer token is malformed, forged, expired, of another kind, or of a session that has ended. Its body says \
         `token_not_valid`.",
        "Refresh the access token once; if that is refused, show the login.";
    NoUserIdentification: "no_user_identification", UNAUTHORIZED,
        "The bearer token names no user. Its body says `token_not_valid`.",
        "Forget the tokens, and show the login.";
    UserNotFound: "user_not_found", UNAUTHORIZED,
        "The user of the bearer token does not exist any more.",
        "Forget the tokens, and show the login.";
    UserInactive: "user_inactive", UNAUTHORIZED,
        "The user of the bearer token has been deactivated.",
        "Forget the tokens, and show the login.";
    PasswordChanged: "password_changed", UNAUTHORIZED,
        "With `CHECK_REVOKE_TOKEN`: the password was changed after the bearer token was made.",
        "Forget the tokens, and show the login.";
    PermissionDenied: "permission_denied", FORBIDDEN,
        "The bearer token is good, but its user is not in the group, lacks the permission, or is not staff.",
        "Tell the user; a new token does not help.";
    CsrfFailed: "csrf_failed", FORBIDDEN,
        "With `TOKEN_COOKIES`: the request brings a token in a cookie, or logs in for one, and comes from a page that may \
         not, or lacks the CSRF token of the session.",
        "Send `X-CSRFToken` with the value of `csrf_token` or of the cookie `__Host-csrftoken`, from an origin that \
         `CORS_ALLOWED_ORIGINS` has; see docs/browsers.md.";
    BadRequirement: "bad_requirement", BAD_REQUEST,
        "A proxy asks for something that there is not, for something twice, or for nothing by name.",
        "Correct the proxy's configuration.";
    NoSession: "no_session", BAD_REQUEST,
        "The bearer token belongs to no session that could be ended, because a Django made it.",
        "Blacklist the refresh token instead.";
    SessionNotFound: "session_not_found", NOT_FOUND,
        "The user has no such session that has not ended.",
        "List the sessions again.";
    NoData: "no_data", BAD_REQUEST,
        "The JSON body is `null`.",
        "Send a JSON object.";
    NotAnObject: "not_an_object", BAD_REQUEST,
        "The JSON body is not an object.",
        "Send a JSON object.";
    ParseError: "parse_error", BAD_REQUEST,
        "The body cannot be read as what its `Content-Type` says.",
        "Correct the client.";
    UnsupportedMediaType: "unsupported_media_type", UNSUPPORTED_MEDIA_TYPE,
        "The `Content-Type` is neither JSON nor a form.",
        "Send `Content-Type: application/json`.";
    NotAcceptable: "not_acceptable", NOT_ACCEPTABLE,
        "The header `Accept` names no form in which the answer can be given.",
        "Send `Accept: application/json`.";
    UnknownFormat: "unknown_format", NOT_FOUND,
        "The query asks for a `format` that there is not.",
        "Leave it out, or say `?format=json`.";
    MethodNotAllowed: "method_not_allowed", METHOD_NOT_ALLOWED,
        "The path does not have this method; the header `Allow` says which it has. Where the path is none of the API's \
         (`/`, `/docs/`, `/openapi.json`, the keys, probes), a page.",
        "Correct the client.";
    Throttled: "throttled", TOO_MANY_REQUESTS,
        "There were too many attempts: wrong passwords for this account, or attempts from this network, or altogether.",
        "Try again after the seconds that `Retry-After` says; send the cookie `__Secure-countersign_device_…` of the last login.";
    ServiceUnavailable: "service_unavailable", SERVICE_UNAVAILABLE,
        "Too many passwords wait to be hashed, too many messages wait to be sent, too many large bodies are held, or the database cannot be reached.",
        "Try again after the seconds that `Retry-After` says.";
    ServerError: "server_error", INTERNAL_SERVER_ERROR,
        "There is an error in Countersign itself, which standard error tells of. A page, not JSON.",
        "Tell the operator, with the answer's `X-Request-Id`.";
    NoPlace: "no_place", SERVICE_UNAVAILABLE,
        "Every place for a connection is taken. A page, not JSON.",
        "Try again after the seconds that `Retry-After` says.";
    BadRequest: "bad_request", BAD_REQUEST,
        "The body is too large, has too many fields, or did not arrive in time. A page, not JSON.",
        "Send a smaller body.";
    NotFound: "not_found", NOT_FOUND,
        "There is no such path. A page, not JSON.",
        "Look at the path: case and slashes count.";
    DisallowedHost: "disallowed_host", BAD_REQUEST,
        "The header `Host` is not in `ALLOWED_HOSTS`. A page, not JSON.",
        "Use a name that the operator allows.";
    MalformedRequest: "malformed_request", BAD_REQUEST,
        "The request is not well-formed HTTP. A page, not JSON.",
        "Correct the client.";
    RequestLineTooLong: "request_line_too_long", URI_TOO_LONG,
        "The request line has more than 4094 bytes. A page, not JSON.",
        "Shorten the query.";
    HeaderTooLong: "header_too_long", REQUEST_HEADER_FIELDS_TOO_LARGE,
        "A header line has more than 8190 bytes. A page, not JSON.",
        "Shorten the header; with `TOKEN_CLAIMS`, the token may have grown too long.";
    ExpectationFailed: "expectation_failed", EXPECTATION_FAILED,
        "The header `Expect` says something else than `100-continue`. A page, not JSON.",
        "Leave the header out.";
}
