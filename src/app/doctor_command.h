/* vr180-streaming doctor: what this build and machine have, what is missing, and a self-test.
 *
 * Usage: VSM_CLI_DOCTOR_USAGE (config/cli.h). A job can run if the matting network's weights are whole, the
 * self-test on the CPU passes and FFmpeg has an encoder for the default output; all else is told with what to
 * install.
 */
#ifndef VSM_APP_DOCTOR_COMMAND_H
#define VSM_APP_DOCTOR_COMMAND_H

#include "base/status.h"

/* argv[0] is "doctor". Prints to stdout. VSM_E_MODEL if no job can run, VSM_E_USAGE, VSM_E_NOMEM; messages of
 * failures are set, not printed. Cost: at most 3 s and 200 MB. */
int vsm_doctor_command_run(int argc, char **argv) VSM_NODISCARD;

#endif
