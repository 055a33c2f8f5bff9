/* vr180-streaming models: the checkpoints on this machine.
 *
 * Usage: VSM_CLI_MODELS_USAGE (config/cli.h).
 */
#ifndef VSM_APP_MODELS_COMMAND_H
#define VSM_APP_MODELS_COMMAND_H

#include "base/status.h"

/* argv[0] is "models". Prints to stdout; messages of failures are set, not printed. */
int vsm_models_command_run(int argc, char **argv) VSM_NODISCARD;

#endif
