#include "media/container_form.h"

#include "base/bytes.h"
#include "media/nal.h"

#include <libavutil/mem.h>

#include <string.h>

int vsm_container_form_headers(AVCodecParameters *parameters)
{
    struct vsm_bytes_out out = {0};
    uint8_t *extradata;
    int status = VSM_OK;

    if (parameters->codec_id == AV_CODEC_ID_H264)
        status = vsm_nal_write_avcc(parameters->extradata, (size_t)parameters->extradata_size, &out);
    else if (parameters->codec_id == AV_CODEC_ID_HEVC)
        status = vsm_nal_write_hvcc(parameters->extradata, (size_t)parameters->extradata_size, &out);
    if (status == VSM_OK && out.size > 0) {
        extradata = av_mallocz(out.size + AV_INPUT_BUFFER_PADDING_SIZE);
        if (extradata) {
            memcpy(extradata, out.data, out.size);
            av_free(parameters->extradata);
            parameters->extradata = extradata;
            parameters->extradata_size = (int)out.size;
        } else {
            status = vsm_fail_nomem("encoder headers", out.size);
        }
    }
    vsm_bytes_out_finish(&out);
    return status;
}

static int replace_payload(AVPacket *packet, const struct vsm_bytes_out *out)
{
    AVBufferRef *buffer = av_buffer_alloc(out->size + AV_INPUT_BUFFER_PADDING_SIZE);

    if (!buffer)
        return vsm_fail_nomem("packet", out->size);
    memcpy(buffer->data, out->data, out->size);
    memset(buffer->data + out->size, 0, AV_INPUT_BUFFER_PADDING_SIZE);
    av_buffer_unref(&packet->buf);
    packet->buf = buffer;
    packet->data = buffer->data;
    packet->size = (int)out->size;
    return VSM_OK;
}

int vsm_container_form_payload(enum AVCodecID id, AVPacket *packet)
{
    struct vsm_bytes_out out = {0};
    int status = VSM_OK;

    if (id == AV_CODEC_ID_H264 || id == AV_CODEC_ID_HEVC)
        vsm_nal_to_lengths(packet->data, (size_t)packet->size, &out);
    else if (id == AV_CODEC_ID_AV1)
        vsm_nal_strip_delimiters(packet->data, (size_t)packet->size, &out);
    else
        return VSM_OK;
    if (out.failed)
        status = VSM_E_NOMEM;
    else if (out.size > INT32_MAX / 2)
        status = vsm_fail(VSM_E_OUTPUT, "%s: gave a packet of %zu bytes", avcodec_get_name(id), out.size);
    else
        status = replace_payload(packet, &out);
    vsm_bytes_out_finish(&out);
    return status;
}
