/* Log lines on stderr, and the one progress line that log lines must not tear.
 *
 * Thread-safe: lines of this process never mix. A line is "SUBJECT: TEXT", with the level before it unless
 * that is VSM_LOG_INFO; a text is cut at 1,399 bytes.
 */
#ifndef VSM_BASE_LOG_H
#define VSM_BASE_LOG_H

#include "base/status.h"

enum vsm_log_level { VSM_LOG_ERROR, VSM_LOG_WARN, VSM_LOG_INFO, VSM_LOG_DEBUG };

/* Lines above `level` are dropped. Default VSM_LOG_INFO. Call before threads start. */
void vsm_log_set_level(enum vsm_log_level level);

/* One line, no newline in `format`. `subject` is the object that speaks: a file, a stage, a model. */
void vsm_log(enum vsm_log_level level, const char *subject, const char *format, ...) VSM_PRINTF(3, 4);

/* Shows `line` as the current progress line on a terminal, over the last one; NULL erases it. Log lines
 * written meanwhile appear above it. The text is copied (at most 255 bytes). */
void vsm_log_progress(const char *line);

#endif
