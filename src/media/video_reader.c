#include "media/video_reader_internal.h"

#include "base/log.h"
#include "base/mem.h"
#include "media/demux.h"
#include "media/picture_slots.h"
#include "media/video_decoder.h"
#include "media/video_describe.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* Errors of the decoder in a row, without a picture, after which the rest of the stream counts as lost. */
#define MAX_ERRORS 1024

/* A seek that far forward, in pictures, just decodes on: cheaper than learning and repositioning. */
#define NEAR 16

struct vsm_video_reader {
    char *path;
    atomic_bool interrupt;
    struct vsm_demux *demux;
    struct vsm_video_decoder decoder;
    AVPacket *packet;
    AVFrame *frame;
    struct vsm_picture_slots slots;
    struct vsm_image *held; /* decoded, not yet given: belongs to the slot behind `missing` others */
    int64_t missing;        /* slots at the head whose pictures will not come */
    struct vsm_image *last; /* the last good picture given */
    int64_t slot;           /* number of the head slot in the stream */
    int64_t lead;           /* slots at the stream's beginning that cannot be decoded: not pictures */
    int64_t sent;           /* number of the next packet from the demuxer */
    int64_t error_slot;     /* head slot when the decoder first complained since the last restart */
    int64_t last_pts;
    int64_t damaged;
    bool drained; /* the decoder has given all */
    bool warned;  /* that the file ends too early */
    struct vsm_video_info info;
    struct vsm_ff_static_data static_data;
    char not_on_device[200]; /* why not */
};

/* Pictures of another size or format than the first are refused unless the decoder says that
 * they are damaged. */
static int check_alike(struct vsm_video_reader *r, struct vsm_image *image)
{
    const struct vsm_video_info *info = &r->info;

    if (info->width == 0 || (image->width == info->width && image->height == info->height &&
                             vsm_format_equal(image->format, info->format)))
        return VSM_OK;
    return vsm_fail(VSM_E_INPUT,
                    "%s: pictures change from %dx%d, %d bit to %dx%d, %d bit at picture %" PRId64
                    "; convert the video to one format first",
                    r->path, info->width, info->height, info->format.depth, image->width, image->height,
                    image->format.depth, r->slot - r->lead);
}

/* Takes r->frame, which just came out of the decoder. *held: whether it is the next good picture. */
static int accept_frame(struct vsm_video_reader *r)
{
    int64_t number = r->frame->pts, missing;
    struct vsm_image *image = NULL;
    int status;

    if (vsm_ff_frame_is_damaged(r->frame))
        return VSM_OK;
    missing = vsm_picture_slots_arrive(&r->slots, number);
    if (missing < 0)
        return VSM_OK;
    status = vsm_ff_check_size(r->path, r->frame->width, r->frame->height);
    if (status == VSM_OK && r->info.width == 0)
        status = vsm_ff_static_data_add(&r->static_data, vsm_demux_stream(r->demux), r->frame);
    if (status == VSM_OK)
        status = vsm_video_decoder_image(&r->decoder, vsm_demux_stream(r->demux), r->frame, &image);
    if (status == VSM_OK)
        status = check_alike(r, image);
    if (status != VSM_OK) {
        vsm_image_unref(&image);
        return status;
    }
    r->held = image;
    r->missing = missing;
    return VSM_OK;
}

static int64_t untimed_pts(const struct vsm_video_reader *r, const struct vsm_demux_entry *entry)
{
    const AVStream *stream = vsm_demux_stream(r->demux);
    AVRational rate = stream->avg_frame_rate.num > 0 ? stream->avg_frame_rate : stream->r_frame_rate;

    if (entry->dts != AV_NOPTS_VALUE)
        return entry->dts;
    if (rate.num <= 0 || rate.den <= 0)
        rate = (AVRational){25, 1};
    return av_rescale_q(entry->number, av_inv_q(rate), stream->time_base);
}

static void note_error(struct vsm_video_reader *r)
{
    if (r->slot < r->error_slot)
        r->error_slot = r->slot;
}

/* Gives one packet, or the end, to the decoder. Damaged packets are no failure: their slots stay empty. */
static int feed(struct vsm_video_reader *r)
{
    struct vsm_demux_entry entry;
    int status = vsm_demux_read(r->demux, r->packet, &entry), error;

    if (status == VSM_EOF) {
        error = avcodec_send_packet(r->decoder.codec, NULL);
    } else if (status == VSM_OK) {
        r->sent = entry.number + 1;
        if (entry.pts == AV_NOPTS_VALUE) {
            if (r->slots.count == 0 && entry.number == 0)
                r->slots.untimed = true;
            entry.pts = untimed_pts(r, &entry);
        }
        if (entry.shown)
            status = vsm_picture_slots_add(&r->slots, (struct vsm_picture_slot){entry.number, entry.pts,
                                                                                entry.duration});
        if (status)
            return status;
        /* The decoder hands these through: they tell which packet a picture comes from. */
        r->packet->pts = r->packet->dts = entry.number;
        error = avcodec_send_packet(r->decoder.codec, r->packet);
    } else {
        return status;
    }
    if (error == AVERROR(ENOMEM))
        return vsm_ff_fail(VSM_E_INPUT, error, "%s: picture cannot be decoded", r->path);
    if (error < 0)
        note_error(r);
    return VSM_OK;
}

/* Decodes until a good picture is held; at the end all slots that are left are missing. VSM_EOF:
 * nothing is left. */
static int decode(struct vsm_video_reader *r)
{
    int errors = 0;

    while (!r->held && !r->drained) {
        int error = avcodec_receive_frame(r->decoder.codec, r->frame), status = VSM_OK;

        if (atomic_load_explicit(&r->interrupt, memory_order_relaxed))
            return vsm_fail(VSM_E_CANCELLED, "%s: reading was interrupted", r->path);
        if (error == 0) {
            status = accept_frame(r);
            av_frame_unref(r->frame);
        } else if (error == AVERROR(EAGAIN)) {
            status = feed(r);
        } else if (error == AVERROR(ENOMEM)) {
            return vsm_ff_fail(VSM_E_INPUT, error, "%s: picture cannot be decoded", r->path);
        } else if (error == AVERROR_EOF || ++errors > MAX_ERRORS) {
            r->drained = true;
            r->missing = (int64_t)r->slots.count;
        } else {
            note_error(r);
        }
        if (status)
            return status;
    }
    return r->held || r->missing ? VSM_OK : VSM_EOF;
}

/* Makes sure that the head slot's picture is known: held, or missing with a last good one to stand in. */
static int peek(struct vsm_video_reader *r)
{
    int status = r->held || r->missing ? VSM_OK : decode(r);

    while (status == VSM_OK && r->missing && !r->last) {
        (void)vsm_picture_slots_pop(&r->slots);
        r->slot++;
        r->missing--;
        if (!r->missing && !r->held)
            status = VSM_EOF;
    }
    return status;
}

/* Removes the head slot after peek(). */
static struct vsm_picture_slot take(struct vsm_video_reader *r, bool *repeated)
{
    struct vsm_picture_slot slot = vsm_picture_slots_pop(&r->slots);

    *repeated = r->missing > 0;
    if (r->missing > 0) {
        r->missing--;
    } else {
        vsm_image_unref(&r->last);
        r->last = r->held;
        r->held = NULL;
    }
    if (slot.pts <= r->last_pts)
        slot.pts = r->last_pts + 1;
    r->last_pts = slot.pts;
    r->slot++;
    return slot;
}

static void warn_of_cut(struct vsm_video_reader *r)
{
    int64_t index = r->slot - r->lead;

    if (r->warned || !r->info.frames_exact || index >= r->info.frames)
        return;
    vsm_log(VSM_LOG_WARN, r->path, "ends after %" PRId64 " of %" PRId64 " pictures: the file is cut off",
            index, r->info.frames);
    r->warned = true;
}

int vsm_video_reader_next(struct vsm_video_reader *r, struct vsm_frame *frame)
{
    struct vsm_picture_slot slot;
    int status = peek(r);

    if (status == VSM_EOF)
        warn_of_cut(r);
    if (status)
        return status;
    frame->index = r->slot - r->lead;
    slot = take(r, &frame->repeated);
    frame->pts = slot.pts;
    frame->duration = slot.duration;
    vsm_image_unref(&frame->source);
    frame->source = vsm_image_ref(r->last);
    r->damaged += frame->repeated;
    return VSM_OK;
}

/* Forgets everything on the way and begins again at key packet `number`, which `shown` slots precede. */
static int restart(struct vsm_video_reader *r, int64_t number, int64_t shown, bool rewind)
{
    avcodec_flush_buffers(r->decoder.codec);
    vsm_picture_slots_clear(&r->slots);
    vsm_image_unref(&r->held);
    vsm_image_unref(&r->last);
    r->missing = 0;
    r->drained = false;
    r->slot = shown;
    r->sent = number;
    r->error_slot = INT64_MAX;
    r->last_pts = INT64_MIN;
    return vsm_demux_position(r->demux, number, rewind);
}

/* Drops pictures until `slot` is the next. *first_bad: the first slot whose picture is missing, else
 * `slot` + 1. */
static int advance(struct vsm_video_reader *r, int64_t slot, int64_t *first_bad)
{
    int status = peek(r);

    *first_bad = slot + 1;
    while (status == VSM_OK && r->slot <= slot) {
        bool repeated = r->missing > 0;

        if (repeated && r->slot < *first_bad)
            *first_bad = r->slot;
        if (r->slot == slot)
            break;
        (void)take(r, &repeated);
        status = peek(r);
    }
    return status;
}

/* Decodes from a key packet to `slot`. *exact: the picture there is the one that a straight decode gives. It
 * is if every picture from the key packet's on came out; or if damage begins only after another key packet,
 * so that the decoder conceals it from the same pictures. */
static int try_from(struct vsm_video_reader *r, int64_t number, int64_t shown, int64_t slot, bool rewind,
                    bool *exact)
{
    int64_t first_bad, next_number = 0, next_shown = 0;
    int status = restart(r, number, shown, rewind);

    *exact = number == 0;
    if (status == VSM_OK)
        status = advance(r, slot, &first_bad);
    if (number == 0 || (status != VSM_OK && status != VSM_EOF))
        return status;
    if (status == VSM_EOF || r->slot != slot || vsm_demux_unsure(r->demux))
        return VSM_OK;
    if (r->error_slot < first_bad)
        first_bad = r->error_slot;
    *exact = first_bad > slot;
    if (!*exact && vsm_demux_key_before(r->demux, INT64_MAX, first_bad - VSM_PICTURE_SLOTS_REORDER,
                                        &next_number, &next_shown))
        *exact = next_number > number;
    return VSM_OK;
}

/* Goes back key packet by key packet until one leads to the wanted slot. */
static int seek_by_table(struct vsm_video_reader *r, int64_t slot)
{
    int64_t before = INT64_MAX, number = 0, shown = 0;
    bool exact = false;
    int status = VSM_OK;

    for (int64_t back = 1; status == VSM_OK && !exact; back *= 2) {
        for (int64_t i = 0; i < back; i++) {
            if (!vsm_demux_key_before(r->demux, before, slot, &number, &shown))
                number = shown = 0;
            before = number;
        }
        if (back == 1 && r->slot <= slot && number < r->sent && !vsm_demux_unsure(r->demux)) {
            int64_t first_bad;

            return advance(r, slot, &first_bad);
        }
        status = try_from(r, number, shown, slot, vsm_demux_unsure(r->demux), &exact);
    }
    return status;
}

int vsm_video_reader_seek(struct vsm_video_reader *r, int64_t index)
{
    int64_t slot = index + r->lead, first_bad, known;
    int status;

    if (index < 0)
        return vsm_fail(VSM_E_USAGE, "%s: there is no picture %" PRId64, r->path, index);
    if (slot >= r->slot && slot - r->slot <= NEAR)
        return advance(r, slot, &first_bad);
    if (index == 0 || r->slots.untimed) {
        status = slot >= r->slot ? VSM_OK : restart(r, 0, 0, false);
        return status ? status : advance(r, slot, &first_bad);
    }
    status = vsm_demux_learn(r->demux, slot);
    if (status)
        return status;
    known = vsm_demux_learned(r->demux);
    if (known >= 0) {
        r->info.frames = known - r->lead;
        r->info.frames_exact = true;
    }
    return known >= 0 && slot >= known ? VSM_EOF : seek_by_table(r, slot);
}

/* Decodes the first picture: only it tells the true size, format and colour. */
static int decode_first(struct vsm_video_reader *r)
{
    int status = peek(r);

    if (status == VSM_EOF)
        return vsm_fail(
            VSM_E_INPUT,
            "%s: contains no picture that can be decoded (%s): it is cut off, damaged, or larger than "
            "%dx%d",
            r->path, r->decoder.codec->codec->name, VSM_FF_MAX_SIDE, VSM_FF_MAX_SIDE);
    if (status)
        return status;
    r->lead = r->slot;
    r->info.start_pts = r->slots.items[r->slots.head].pts;
    r->info.hdr = r->static_data.has_mastering || r->static_data.has_light;
    vsm_video_describe(r->demux, r->held, r->lead, &r->info);
    return VSM_OK;
}

static int open_parts(struct vsm_video_reader *r, const char *path,
                      const struct vsm_video_reader_options *options)
{
    const AVCodecParameters *par;
    int status;

    r->path = vsm_mem_string("file name", path);
    if (!r->path)
        return VSM_E_NOMEM;
    r->packet = av_packet_alloc();
    r->frame = av_frame_alloc();
    if (!r->packet || !r->frame)
        return vsm_fail_nomem("packet", sizeof(*r->packet));
    status = vsm_demux_open(r->path, &r->interrupt, &r->demux);
    if (status)
        return status;
    par = vsm_demux_stream(r->demux)->codecpar;
    if (vsm_demux_boxes(r->demux)->mv_hevc)
        return vsm_fail(
            VSM_E_INPUT,
            "%s: has two views coded as MV-HEVC, of which this decoder gives one; convert to side by side "
            "first",
            path);
    if (par->width != 0 || par->height != 0)
        status = vsm_ff_check_size(path, par->width, par->height);
    if (status == VSM_OK)
        status = vsm_video_decoder_open(&r->decoder, r->path, vsm_demux_stream(r->demux), options);
    return status == VSM_OK ? decode_first(r) : status;
}

static int open_in(const char *path, int threads, enum vsm_video_reader_memory memory,
                   struct vsm_video_reader **reader)
{
    struct vsm_video_reader *r = vsm_mem_alloc("video reader", 1, sizeof(*r));
    int status;

    if (!r)
        return VSM_E_NOMEM;
    atomic_init(&r->interrupt, false);
    r->error_slot = INT64_MAX;
    r->last_pts = INT64_MIN;
    status = open_parts(r, path, &(const struct vsm_video_reader_options){threads, memory});
    if (status) {
        vsm_video_reader_close(r);
        return status;
    }
    *reader = r;
    return VSM_OK;
}

/* Samples of more than 10 bits come from the device in 16, which is another format than that of the file. */
static bool is_like_the_file(const struct vsm_video_reader *r)
{
    return r->held->place == VSM_PLACE_CUDA && r->info.format.planes == VSM_PLANES_NV &&
           r->info.format.depth <= 10;
}

static int open_pinned(const char *path, int threads, struct vsm_video_reader **reader)
{
    int status = open_in(path, threads, VSM_READER_PINNED, reader);

    return status == VSM_E_DEVICE || status == VSM_E_NOMEM ? open_in(path, threads, VSM_READER_PLAIN, reader)
                                                           : status;
}

static int open_on_device(const char *path, int threads, struct vsm_video_reader **reader)
{
    struct vsm_video_reader *r = NULL;
    char why[sizeof(r->not_on_device)];
    int status = open_in(path, threads, VSM_READER_DEVICE, &r);

    if (status == VSM_OK && is_like_the_file(r)) {
        *reader = r;
        return VSM_OK;
    }
    snprintf(why, sizeof(why), "%s", status ? vsm_error_message() : "NVDEC does not decode such streams");
    vsm_video_reader_close(r);
    status = open_pinned(path, threads, reader);
    if (status == VSM_OK)
        snprintf((*reader)->not_on_device, sizeof((*reader)->not_on_device), "%s", why);
    return status;
}

int vsm_video_reader_open(const char *path, const struct vsm_video_reader_options *options,
                          struct vsm_video_reader **reader)
{
    *reader = NULL;
    switch (options->memory) {
    case VSM_READER_DEVICE:
        return open_on_device(path, options->threads, reader);
    case VSM_READER_PINNED:
        return open_pinned(path, options->threads, reader);
    case VSM_READER_PLAIN:
        break;
    }
    return open_in(path, options->threads, VSM_READER_PLAIN, reader);
}

bool vsm_video_reader_on_device(const struct vsm_video_reader *r, const char **why)
{
    *why = r->not_on_device;
    return r->decoder.codec->pix_fmt == AV_PIX_FMT_CUDA;
}

void vsm_video_reader_close(struct vsm_video_reader *r)
{
    if (!r)
        return;
    vsm_image_unref(&r->held);
    vsm_image_unref(&r->last);
    vsm_video_decoder_close(&r->decoder);
    av_packet_free(&r->packet);
    av_frame_free(&r->frame);
    vsm_picture_slots_finish(&r->slots);
    vsm_ff_static_data_finish(&r->static_data);
    vsm_demux_close(r->demux);
    vsm_mem_free(r->path);
    vsm_mem_free(r);
}

const struct vsm_video_info *vsm_video_reader_info(const struct vsm_video_reader *r)
{
    return &r->info;
}

const struct vsm_ff_static_data *vsm_video_reader_static_data(const struct vsm_video_reader *r)
{
    return &r->static_data;
}

int64_t vsm_video_reader_damaged(const struct vsm_video_reader *r)
{
    return r->damaged;
}

void vsm_video_reader_interrupt(struct vsm_video_reader *r)
{
    atomic_store(&r->interrupt, true);
}
