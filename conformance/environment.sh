# Maps the switches of conformance/README.md to the program's own settings and brings its release build up to date.
# Read by `start` and `hook`; needs PORT and WORKDIR.
set -eu

case "${PASSWORD_VALIDATORS-off}" in
    on) unset AUTH_PASSWORD_VALIDATORS ;; # Django's four are the default
    *) export AUTH_PASSWORD_VALIDATORS='[]' ;;
esac
if [ -z "${PASSWORD_HASHER-}" ]; then
    # No scenario looks at the hash: any cheap one will do.
    export PASSWORD_HASHER=argon2id ARGON2_MEMORY_KIB=64 ARGON2_ITERATIONS=1 ARGON2_PARALLELISM=1
fi
# One scenario signs with the fifteen bytes of the original's README.
export ALLOW_WEAK_SECRET_KEY=on
export BIND="${BIND-127.0.0.1}" DATABASE_URL="${DATABASE_URL-sqlite:$WORKDIR/countersign.sqlite3}"
unset PASSWORD_VALIDATORS # which is no setting of the program

repository=$(cd "$(dirname "$0")/.." && pwd)
programs=$(cd "$repository" && realpath -m "${CARGO_TARGET_DIR:-target}")/release
# Cargo's own lock makes starts that run at once wait for each other.
(cd "$repository" && cargo build --release --quiet -p countersign --bin countersign --example conformance-hook) >&2
cd "$WORKDIR"
