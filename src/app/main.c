#include "app/doctor_command.h"
#include "app/dry_run.h"
#include "app/job.h"
#include "app/models_command.h"
#include "app/monitor.h"
#include "app/status_command.h"
#include "base/fault.h"
#include "base/log.h"
#include "build_config.h"
#include "config/cli.h"
#include "media/media_version.h"
#include "nn/session.h"

#include <stdio.h>
#include <string.h>

static int print_version(void)
{
    printf("vr180-streaming %s\n%s\n%s, providers: %s\n", VSM_VERSION, vsm_media_version(),
           vsm_session_backend_version(), vsm_session_providers());
    return VSM_OK;
}

static int process(const struct vsm_cli *cli)
{
    struct vsm_plan *plan = NULL;
    int status = vsm_plan_create(&cli->config, &plan);

    if (status == VSM_OK)
        status = cli->dry_run ? vsm_dry_run(plan, stdout) : vsm_job_run(plan, cli->resume);
    vsm_plan_destroy(plan);
    return status;
}

static int finish(int status)
{
    if (status < 0 && status != VSM_E_CANCELLED)
        vsm_log(VSM_LOG_ERROR, "vr180-streaming", "%s", vsm_error_message());
    return (int)vsm_status_exit_code(status);
}

int main(int argc, char **argv)
{
    struct vsm_cli cli = {0};
    int status;

    if (argc > 1 && strcmp(argv[1], "models") == 0)
        return finish(vsm_models_command_run(argc - 1, argv + 1));
    if (argc > 1 && strcmp(argv[1], "status") == 0)
        return finish(vsm_status_command_run(argc - 1, argv + 1));
    if (argc > 1 && strcmp(argv[1], "doctor") == 0)
        return finish(vsm_doctor_command_run(argc - 1, argv + 1));
    vsm_monitor_block_signals();
    vsm_fault_arm_from_env();
    status = vsm_cli_parse(argc, argv, &cli);
    if (status == VSM_OK) {
        vsm_log_set_level((enum vsm_log_level)cli.config.logging.level);
        switch (cli.command) {
        case VSM_CLI_RUN:
            status = process(&cli);
            break;
        case VSM_CLI_VERSION:
            status = print_version();
            break;
        case VSM_CLI_HELP:
            vsm_cli_print_help(stdout);
            break;
        case VSM_CLI_GENERATE_CONFIG:
            status = vsm_cli_generate_config(&cli);
            break;
        }
    }
    status = finish(status);
    vsm_cli_finish(&cli);
    return status;
}
