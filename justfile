# The verbs of package.json, for those who prefer `just` (or `npx just`).

# Arguments reach the scripts as they were typed, spaces included.
set positional-arguments

# List the verbs.
default:
    @just --list

# Bring everything that trying and testing need into .cache.
setup:
    npm run setup

# Bundle the host and the scripts into dist.
build:
    npm run build

# Try the plugin; `just try "a question"` asks it.
try *args:
    npm run try -- "$@"

# Lint and run all tests, or those whose path has a part: `just test src/chat`.
test *args:
    npm test -- "$@"

lint:
    npm run lint

format:
    npm run format

bench *args:
    npm run bench -- "$@"

# Random use and random kills for an hour: `just soak --minutes 3 --seed 7`.
soak *args:
    npm run soak -- "$@"

# Attack the product from inside its sandbox.
attack *args:
    npm run attack -- "$@"

# Pin and check another version of Codex: `just codex-update 0.172.0`.
codex-update version:
    npm run codex-update -- "$@"

# Write the plugin as it is installed, and a tarball of it.
release *args:
    npm run release -- "$@"
