/* A fuzz target is a program with vsm_fuzz_one(). With clang and -Dfuzz=true libFuzzer drives it; otherwise
 * it is a test that replays its corpus: every file of the folders given as arguments, and every cut and some
 * flips of each.
 */
#ifndef FUZZ_H
#define FUZZ_H

#include <stddef.h>
#include <stdint.h>

/* Handles one input; any result is fine, crashes and undefined behaviour are not. */
void vsm_fuzz_one(const uint8_t *data, size_t size);

#endif
