/* A test program: functions of checks, one line a check that fails, and a closing count.
 *
 *   static void test_addition(void) { CHECK_INT(1 + 1, 2); }
 *   int main(void) { RUN(test_addition); return tap_done(); }
 *
 * A test function passes when none of its checks failed. tap_skip() inside it counts it as skipped, with the
 * reason. Prints TAP; tests/run.sh adds up all programs.
 */
#ifndef TAP_H
#define TAP_H

#include <inttypes.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* Weak: one set of counters for all files of a program. */
__attribute__((weak)) int tap_count, tap_failed_tests, tap_failed_checks, tap_counted_checks;
__attribute__((weak)) const char *tap_skip_reason;

#define CHECK(condition)                                                                                     \
    do {                                                                                                     \
        if (!(condition))                                                                                    \
            tap_fail_check(__FILE__, __LINE__, "%s", #condition);                                            \
    } while (0)

#define CHECK_INT(actual, expected)                                                                          \
    do {                                                                                                     \
        intmax_t tap_a = (intmax_t)(actual), tap_e = (intmax_t)(expected);                                   \
        if (tap_a != tap_e)                                                                                  \
            tap_fail_check(__FILE__, __LINE__, "%s is %" PRIdMAX ", expected %" PRIdMAX, #actual, tap_a,     \
                           tap_e);                                                                           \
    } while (0)

#define CHECK_STR(actual, expected)                                                                          \
    do {                                                                                                     \
        const char *tap_a = (actual), *tap_e = (expected);                                                   \
        if (!tap_a || !tap_e || strcmp(tap_a, tap_e) != 0)                                                   \
            tap_fail_check(__FILE__, __LINE__, "%s is \"%s\", expected \"%s\"", #actual,                     \
                           tap_a ? tap_a : "(null)", tap_e ? tap_e : "(null)");                              \
    } while (0)

/* The text must contain the part: for messages, of which the essential words are tested. */
#define CHECK_HAS(actual, part)                                                                              \
    do {                                                                                                     \
        const char *tap_a = (actual), *tap_e = (part);                                                       \
        if (!tap_a || !strstr(tap_a, tap_e))                                                                 \
            tap_fail_check(__FILE__, __LINE__, "%s is \"%s\", without \"%s\"", #actual,                      \
                           tap_a ? tap_a : "(null)", tap_e);                                                 \
    } while (0)

#define CHECK_NEAR(actual, expected, tolerance)                                                              \
    do {                                                                                                     \
        double tap_a = (double)(actual), tap_e = (double)(expected);                                         \
        if (!(fabs(tap_a - tap_e) <= (double)(tolerance)))                                                   \
            tap_fail_check(__FILE__, __LINE__, "%s is %.9g, expected %.9g +- %.3g", #actual, tap_a, tap_e,   \
                           (double)(tolerance));                                                             \
    } while (0)

#define RUN(test) tap_run(#test, test)

__attribute__((format(printf, 3, 4), unused)) static void tap_fail_check(const char *file, int line,
                                                                         const char *format, ...)
{
    __builtin_va_list args;

    printf("# %s:%d: ", file, line);
    __builtin_va_start(args, format);
    vprintf(format, args);
    __builtin_va_end(args);
    printf("\n");
    tap_failed_checks++;
}

__attribute__((unused)) static void tap_skip(const char *reason)
{
    tap_skip_reason = reason;
}

__attribute__((unused)) static void tap_run(const char *name, void (*test)(void))
{
    int before = tap_failed_checks;

    tap_skip_reason = NULL;
    test();
    tap_count++;
    tap_counted_checks += tap_failed_checks - before;
    if (tap_failed_checks > before) {
        tap_failed_tests++;
        printf("not ok %d - %s\n", tap_count, name);
    } else if (tap_skip_reason) {
        printf("ok %d - %s # SKIP %s\n", tap_count, name, tap_skip_reason);
    } else {
        printf("ok %d - %s\n", tap_count, name);
    }
    fflush(stdout);
}

/* Checks of main() itself count as one more test, if any of them failed. */
__attribute__((unused)) static int tap_done(void)
{
    if (tap_failed_checks > tap_counted_checks) {
        tap_failed_tests++;
        printf("not ok %d - main\n", ++tap_count);
    }
    printf("1..%d\n", tap_count);
    return tap_failed_tests ? 1 : 0;
}

#endif
