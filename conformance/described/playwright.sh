# Installs playwright-core at its pinned version in $installed, once. For scripts that set it, and $repository.
playwright=$repository/conformance/described
mkdir -p "$installed"
if ! cmp -s "$playwright/package-lock.json" "$installed/package-lock.json"; then
    cp "$playwright/package.json" "$installed"
    cp "$playwright/package-lock.json" "$installed/wanted.json"
    (cd "$installed" && cp wanted.json package-lock.json && npm ci --silent --no-audit --no-fund) || {
        rm -f "$installed/package-lock.json"
        exit 1
    }
fi
