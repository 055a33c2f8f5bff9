#include "media/capability.h"

#include "media/device_decode.h"
#include "media/ff.h"
#include "media/video_encoder.h"

#include <dlfcn.h>
#include <stdio.h>

#define DECODER_LIBRARY "libnvcuvid.so.1"

/* Above the smallest picture that any NVENC takes, 145x49. */
#define TRIAL_WIDTH  320
#define TRIAL_HEIGHT 192

bool vsm_capability_encoder(const char *name)
{
    const AVCodec *codec = avcodec_find_encoder_by_name(name);

    return codec && codec->type == AVMEDIA_TYPE_VIDEO;
}

static bool decodes_on_device(const AVCodec *codec)
{
    const AVCodecHWConfig *config;

    for (int i = 0; (config = avcodec_get_hw_config(codec, i)) != NULL; i++)
        if (config->device_type == AV_HWDEVICE_TYPE_CUDA)
            return true;
    return false;
}

/* Drivers in containers often come without their video libraries. */
static int look_for_library(void)
{
    void *library = dlopen(DECODER_LIBRARY, RTLD_LAZY | RTLD_LOCAL);

    if (!library)
        return vsm_fail(VSM_E_DEVICE, "NVDEC: the driver's " DECODER_LIBRARY " is not there");
    dlclose(library);
    return VSM_OK;
}

int vsm_capability_nvdec(void)
{
    const AVCodec *codec = avcodec_find_decoder(AV_CODEC_ID_HEVC);
    AVCodecContext *context;
    int status;

    vsm_ff_init();
    if (!codec || !decodes_on_device(codec))
        return vsm_fail(VSM_E_DEVICE, "NVDEC: the linked FFmpeg was built without it");
    context = avcodec_alloc_context3(codec);
    if (!context)
        return vsm_fail_nomem("decoder", sizeof(*context));
    status = vsm_device_decode_ask(context);
    avcodec_free_context(&context);
    return status ? status : look_for_library();
}

int vsm_capability_nvenc(const char *name, struct vsm_format format, const char *pix_fmt)
{
    const struct vsm_video_encoder_options options = {
        .codec = name,
        .crf = -1,
        .threads = 1,
        .width = TRIAL_WIDTH,
        .height = TRIAL_HEIGHT,
        .pix_fmt = pix_fmt,
        .format = format,
        .time_base = {1, 30},
        .frame_rate = {30, 1},
    };
    struct vsm_video_encoder *encoder;
    int status;

    if (!vsm_capability_encoder(name))
        return vsm_fail(VSM_E_DEVICE, "NVENC: the linked FFmpeg was built without %s", name);
    status = vsm_video_encoder_open(&options, &encoder);
    if (status == VSM_E_NOMEM)
        return status;
    if (status) {
        char reason[512];

        snprintf(reason, sizeof(reason), "%s", vsm_error_message());
        return vsm_fail(VSM_E_DEVICE, "NVENC: %s", reason);
    }
    vsm_video_encoder_close(encoder);
    return VSM_OK;
}
