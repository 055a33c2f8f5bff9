/* vr180-streaming status OUT: how far the job that makes OUT is. Reads only files. */
#ifndef VSM_APP_STATUS_COMMAND_H
#define VSM_APP_STATUS_COMMAND_H

#include "base/status.h"

/* argv[0] is "status", argv[1] the output. Prints to stdout. VSM_E_INPUT if there is no such job. */
int vsm_status_command_run(int argc, char **argv) VSM_NODISCARD;

#endif
