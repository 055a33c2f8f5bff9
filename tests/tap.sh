# Shell side of tests/tap.h: source it, call `ok NAME` / `not_ok NAME DETAIL` / `skip NAME REASON`, end with tap_done.
tap_count=0 tap_failed=0

ok() {
    tap_count=$((tap_count + 1))
    echo "ok $tap_count - $1"
}

not_ok() {
    tap_count=$((tap_count + 1))
    tap_failed=$((tap_failed + 1))
    echo "# $2" | tr '\n' ' ' && echo
    echo "not ok $tap_count - $1"
}

skip() {
    tap_count=$((tap_count + 1))
    echo "ok $tap_count - $1 # SKIP $2"
}

tap_done() {
    echo "1..$tap_count"
    [ "$tap_failed" = 0 ]
}
