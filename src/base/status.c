#include "base/status.h"

#include <stdarg.h>
#include <stdio.h>

static _Thread_local char error_text[1024];

int vsm_fail(enum vsm_status status, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(error_text, sizeof(error_text), format, args);
    va_end(args);
    return status;
}

int vsm_fail_nomem(const char *what, unsigned long long bytes)
{
    return vsm_fail(VSM_E_NOMEM,
                    "%s: out of memory (%llu bytes wanted); lower processing.scale_factor or "
                    "streaming.buffer_frames",
                    what, bytes);
}

const char *vsm_error_message(void)
{
    return error_text;
}

void vsm_error_set_message(const char *message)
{
    snprintf(error_text, sizeof(error_text), "%s", message);
}

enum vsm_exit vsm_status_exit_code(int status)
{
    switch ((enum vsm_status)status) {
    case VSM_OK:
    case VSM_EOF:
        return VSM_EXIT_OK;
    case VSM_E_CANCELLED:
        return VSM_EXIT_CANCELLED;
    case VSM_E_USAGE:
        return VSM_EXIT_USAGE;
    case VSM_E_INPUT:
        return VSM_EXIT_INPUT;
    case VSM_E_OUTPUT:
        return VSM_EXIT_OUTPUT;
    case VSM_E_MODEL:
    case VSM_E_DEVICE:
        return VSM_EXIT_MODEL;
    case VSM_E_NOMEM:
    case VSM_E_INTERNAL:
        break;
    }
    return VSM_EXIT_INTERNAL;
}
