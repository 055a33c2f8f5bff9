/* Finds the word that somebody probably meant. */
#ifndef VSM_CONFIG_SPELLING_H
#define VSM_CONFIG_SPELLING_H

/* Insertions, deletions, replacements and swaps of neighbouring bytes that turn one word into the other
 * (optimal string alignment distance). Words longer than 63 bytes are far from everything: INT_MAX. Cost:
 * length times length. */
int vsm_spelling_distance(const char *a, const char *b);

/* The largest distance at which `word` still counts as a slip: a third of its length, at least 1. */
int vsm_spelling_tolerance(const char *word);

#endif
