#!/usr/bin/env bash
# Install the Montreal Forced Aligner with its US English (ARPAbet) models, for `align: {backend: mfa}`.
set -euo pipefail

MFA_VERSION="3.3.8"
MODEL="english_us_arpa"
MICROMAMBA_VERSION="2.9.0-0"
RELEASES="https://github.com/mamba-org/micromamba-releases/releases/download"

usage() {
    cat <<EOF
Usage: tools/install_mfa.sh [--prefix DIR] [--dry-run] [--help]

Installs the Montreal Forced Aligner $MFA_VERSION from conda-forge into a folder of its own: micromamba
$MICROMAMBA_VERSION (checked by its SHA-256), an environment, and the acoustic and G2P models $MODEL.
Needs network, about 6 GB of disk, and curl or wget; no root and no conda. Nothing outside the folder
is changed. What is installed already is left as it is, so the command can be repeated.

  --prefix DIR  the folder (default: \$XDG_DATA_HOME/speechkd/mfa, else ~/.local/share/speechkd/mfa)
  --dry-run     say what would be done, and do nothing
  --help        this text
EOF
}

say() { printf 'install_mfa: %s\n' "$*"; }

fail() {
    printf 'install_mfa: %s\n' "$*" >&2
    exit 1
}

refuse_usage() {
    printf 'install_mfa: %s\n\n' "$*" >&2
    usage >&2
    exit 2
}

# The platform as micromamba names it, and the digest of its release. Kaldi's Python bindings are on conda-forge for
# these platforms only.
choose_platform() {
    case "$(uname -s) $(uname -m)" in
        "Linux x86_64")
            platform="linux-64"
            digest="366cd9cd8be14df1ab8ed50352a82111082a36686b2d389fdb79a92c3fafb3e3" ;;
        "Darwin x86_64")
            platform="osx-64"
            digest="1e71054bb3ac9a076e21f7ec48acfef536f9b3f1408f371a942784bf5ef83d8a" ;;
        "Darwin arm64")
            platform="osx-arm64"
            digest="ec2a072f028e1a7cf20f3e2e74d5a8127cf5a5f27636375b5359811565f4e5be" ;;
        *)
            fail "no build of MFA for $(uname -s) $(uname -m); use align: {backend: pocketsphinx}, or align elsewhere" \
                "and give the TextGrids (backend given)" ;;
    esac
}

download() {
    if command -v curl >/dev/null; then
        curl --fail --silent --show-error --location --retry 3 --output "$2" "$1"
    elif command -v wget >/dev/null; then
        wget --quiet --tries 3 --output-document "$2" "$1"
    else
        fail "neither curl nor wget is installed"
    fi
}

sha256_of() {
    if command -v sha256sum >/dev/null; then
        sha256sum "$1" | cut -d ' ' -f 1
    else
        shasum -a 256 "$1" | cut -d ' ' -f 1
    fi
}

install_micromamba() {
    local url="$RELEASES/$MICROMAMBA_VERSION/micromamba-$platform" new="$prefix/micromamba.part" found
    if [[ -f "$micromamba" && "$(sha256_of "$micromamba")" == "$digest" ]]; then
        say "micromamba $MICROMAMBA_VERSION is there"
        return
    fi
    say "downloading $url"
    download "$url" "$new"
    found="$(sha256_of "$new")"
    if [[ "$found" != "$digest" ]]; then
        rm -f "$new"
        fail "the download is not micromamba $MICROMAMBA_VERSION: its SHA-256 is $found, not $digest"
    fi
    chmod +x "$new"
    mv "$new" "$micromamba"
}

install_environment() {
    if [[ -f "$environment/.complete-$MFA_VERSION" ]]; then
        say "MFA $MFA_VERSION is there"
        return
    fi
    # An environment without the mark is another version's, or half made by an interrupted run.
    rm -rf "$environment"
    say "installing MFA $MFA_VERSION from conda-forge into $environment"
    MAMBA_ROOT_PREFIX="$prefix/packages" "$micromamba" create --yes --no-rc --prefix "$environment" \
        --override-channels --channel conda-forge --strict-channel-priority "montreal-forced-aligner=$MFA_VERSION"
    touch "$environment/.complete-$MFA_VERSION"
}

# The program as speechkd calls it: with the environment's own programs, and with models in this folder.
write_wrapper() {
    local quoted
    quoted="$(printf '%q' "$prefix")"
    cat >"$prefix/bin/mfa.part" <<EOF
#!/usr/bin/env bash
export PATH=$quoted/env/bin:"\$PATH"
export MFA_ROOT_DIR=$quoted/models
exec $quoted/env/bin/mfa "\$@"
EOF
    chmod +x "$prefix/bin/mfa.part"
    mv "$prefix/bin/mfa.part" "$prefix/bin/mfa"
}

download_models() {
    local kind
    for kind in acoustic g2p; do
        if [[ -f "$prefix/models/pretrained_models/$kind/$MODEL.zip" ]]; then
            say "$kind model $MODEL is there"
        else
            say "downloading the $kind model $MODEL"
            "$prefix/bin/mfa" model download "$kind" "$MODEL"
        fi
    done
}

prefix="${XDG_DATA_HOME:-${HOME:?HOME is not set; give --prefix}/.local/share}/speechkd/mfa"
dry_run=""
while (($#)); do
    case "$1" in
        --prefix)
            [[ -n "${2:-}" ]] || refuse_usage "--prefix needs a folder"
            prefix="$2"
            shift 2 ;;
        --prefix=?*)
            prefix="${1#--prefix=}"
            shift ;;
        --dry-run)
            dry_run=yes
            shift ;;
        -h | --help)
            usage
            exit 0 ;;
        *) refuse_usage "unknown argument: $1" ;;
    esac
done
[[ "$prefix" == /* ]] || prefix="$PWD/$prefix"

choose_platform
micromamba="$prefix/bin/micromamba"
environment="$prefix/env"

if [[ -n "$dry_run" ]]; then
    say "would install micromamba $MICROMAMBA_VERSION ($platform), MFA $MFA_VERSION and the models $MODEL into $prefix"
    exit 0
fi
# The environment's folder may be removed by this script, so it must be this script's.
if [[ -e "$environment" && ! -e "$prefix/.speechkd-mfa" ]]; then
    fail "$environment exists and was not made by this script; give another --prefix"
fi
mkdir -p "$prefix/bin" "$prefix/models"
touch "$prefix/.speechkd-mfa"
install_micromamba
install_environment
write_wrapper
download_models
"$prefix/bin/mfa" version >/dev/null || fail "MFA was installed and does not start; see above"
say "done. In the configuration:"
printf '\nalign: {backend: mfa, executable: "%s"}\n' "$prefix/bin/mfa"
