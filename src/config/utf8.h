/* UTF-8 validation (RFC 3629). */
#ifndef VSM_CONFIG_UTF8_H
#define VSM_CONFIG_UTF8_H

#include <stddef.h>
#include <stdint.h>

/* Length of the sequence at the start of `left` > 0 bytes: 1 to 4; 0 if it is not valid (also overlong forms,
 * surrogates, above U+10FFFF, or cut). */
size_t vsm_utf8_length(const uint8_t *s, size_t left);

#endif
