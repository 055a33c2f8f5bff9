#!/usr/bin/awk -f
# Adds up the TAP lines of all test programs in meson's logs; fails if any test failed or none ran.
/^ok [0-9]+.*# SKIP/ { skipped++; next }
/^ok [0-9]+/ { passed++ }
/^not ok [0-9]+/ { failed++ }
/^Bail out!|^# killed/ { failed++ }
END {
    printf "%d passed, %d failed, %d skipped\n", passed, failed, skipped
    exit failed > 0 || passed == 0
}
