# Sourced by the shell tools: --help shows the comment that a tool begins with, no other option is known.
case ${1:-} in
    -h | --help)
        sed -n '2,/^[^#]/s/^#\( \|$\)//p' "$0"
        exit 0
        ;;
    -*)
        echo "tools/${0##*/}: unrecognized arguments: $1 (see --help)" >&2
        exit 2
        ;;
esac
