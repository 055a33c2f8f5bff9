#include "base/log.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static enum vsm_log_level max_level = VSM_LOG_INFO;
static char progress[256];

void vsm_log_set_level(enum vsm_log_level level)
{
    max_level = level;
}

void vsm_log(enum vsm_log_level level, const char *subject, const char *format, ...)
{
    static const char *const names[] = {"error", "warning", "info", "debug"};
    char text[1400];
    va_list args;

    if (level > max_level)
        return;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    pthread_mutex_lock(&lock);
    if (level == VSM_LOG_INFO)
        fprintf(stderr, "%s%s: %s\n", progress[0] ? "\r\033[K" : "", subject, text);
    else
        fprintf(stderr, "%s%s: %s: %s\n", progress[0] ? "\r\033[K" : "", names[level], subject, text);
    if (progress[0])
        fputs(progress, stderr);
    fflush(stderr);
    pthread_mutex_unlock(&lock);
}

void vsm_log_progress(const char *line)
{
    pthread_mutex_lock(&lock);
    if (line || progress[0])
        fprintf(stderr, "\r\033[K%s", line ? line : "");
    snprintf(progress, sizeof(progress), "%s", line ? line : "");
    fflush(stderr);
    pthread_mutex_unlock(&lock);
}
