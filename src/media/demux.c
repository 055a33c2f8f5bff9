#include "media/demux.h"

#include "base/log.h"
#include "base/mem.h"
#include "media/packet_table.h"
#include "media/vr_boxes.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

/* Read errors in a row after which the rest of a file counts as unreadable. */
#define MAX_ERRORS 64

/* Packets read after a demuxer's seek in search of the wanted one. */
#define MAX_SEARCH 4096

/* Packets that the table must reach beyond the wanted picture, more than any reordering (16 pictures). */
#define LEARN_BEYOND 64

/* Containers of one file; by the names of FFmpeg's demuxers. */
#define FORMATS                                                                                              \
    "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,mpegts,mpeg,mpegvideo,m4v,avi,ivf,h264,hevc,obu,av1,nut,mxf,asf," \
    "flv,ogg,"                                                                                               \
    "yuv4mpegpipe,image2,png_pipe,jpeg_pipe,bmp_pipe,tiff_pipe,webp_pipe"

struct vsm_demux {
    const char *path;
    const atomic_bool *interrupt;
    char *url;
    AVFormatContext *format;
    AVStream *stream;
    AVPacket *kept; /* found by positioning, to be read next */
    bool has_kept;
    int64_t number;            /* of the next packet */
    int64_t shift;             /* added to the container's times */
    int64_t last_dts, end_pts; /* of packets so far, shifted */
    bool unsure;
    struct vsm_packet_table table;
    bool shifted; /* times of the table are */
    struct vsm_vr_boxes_found found;
};

static int is_interrupted(void *opaque)
{
    const struct vsm_demux *d = opaque;

    return atomic_load_explicit(d->interrupt, memory_order_relaxed);
}

static int check_file(const char *path)
{
    struct stat st;

    if (stat(path, &st) != 0)
        return vsm_fail(VSM_E_INPUT, "%s: cannot be opened: %s", path, strerror(errno));
    if (!S_ISREG(st.st_mode))
        return vsm_fail(VSM_E_INPUT, "%s: is not a regular file; save the video to a file first", path);
    if (st.st_size == 0)
        return vsm_fail(VSM_E_INPUT, "%s: is empty", path);
    return VSM_OK;
}

/* Opens the container. On failure d->format is NULL. */
static int open_container(struct vsm_demux *d)
{
    AVDictionary *options = NULL;
    int error;

    d->format = avformat_alloc_context();
    if (!d->format)
        return vsm_fail_nomem("demuxer", sizeof(*d->format));
    d->format->interrupt_callback = (AVIOInterruptCB){.callback = is_interrupted, .opaque = d};
    error = av_dict_set(&options, "protocol_whitelist", "file", 0);
    if (error >= 0)
        error = av_dict_set(&options, "format_whitelist", FORMATS, 0);
    if (error >= 0)
        error = av_dict_set(&options, "pattern_type", "none", 0);
    if (error >= 0)
        error = avformat_open_input(&d->format, d->url, NULL, &options);
    av_dict_free(&options);
    if (error < 0) {
        avformat_close_input(&d->format);
        return vsm_ff_fail(VSM_E_INPUT, error,
                           "%s: is not a video that can be read, or its beginning is damaged", d->path);
    }
    return VSM_OK;
}

/* Lets libavformat look into the first packets, with its decoders held to our limits. */
static int probe_streams(struct vsm_demux *d)
{
    unsigned count = d->format->nb_streams;
    AVDictionary **options;
    int error = 0;

    for (unsigned i = 0; i < count; i++) {
        const AVCodecParameters *par = d->format->streams[i]->codecpar;
        bool claims = par->codec_type == AVMEDIA_TYPE_VIDEO && (par->width || par->height);

        if (claims && vsm_ff_check_size(d->path, par->width, par->height))
            return VSM_E_INPUT;
    }
    options = vsm_mem_alloc("stream options", count, sizeof(AVDictionary *));
    if (!options)
        return VSM_E_NOMEM;
    for (unsigned i = 0; i < count && error >= 0; i++) {
        error = av_dict_set_int(&options[i], "max_pixels", VSM_FF_MAX_PIXELS, 0);
        if (error >= 0)
            error = av_dict_set(&options[i], "threads", "1", 0);
    }
    if (error >= 0)
        error = avformat_find_stream_info(d->format, count ? options : NULL);
    for (unsigned i = 0; i < count; i++)
        av_dict_free(&options[i]);
    vsm_mem_free(options);
    if (error < 0)
        return vsm_ff_fail(VSM_E_INPUT, error, "%s: its streams cannot be read", d->path);
    return VSM_OK;
}

static int choose_stream(struct vsm_demux *d)
{
    int best = av_find_best_stream(d->format, AVMEDIA_TYPE_VIDEO, -1, -1, NULL, 0);

    if (best < 0 || (d->format->streams[best]->disposition & AV_DISPOSITION_ATTACHED_PIC))
        return vsm_fail(VSM_E_INPUT, "%s: has no video stream (%u other streams)", d->path,
                        d->format->nb_streams);
    d->stream = d->format->streams[best];
    for (unsigned i = 0; i < d->format->nb_streams; i++)
        d->format->streams[i]->discard = (int)i == best ? AVDISCARD_DEFAULT : AVDISCARD_ALL;
    return VSM_OK;
}

static void start_times(struct vsm_demux *d)
{
    d->number = 0;
    d->shift = 0;
    d->last_dts = AV_NOPTS_VALUE;
    d->end_pts = AV_NOPTS_VALUE;
    d->has_kept = false;
}

static int open_streams(struct vsm_demux *d)
{
    int r = open_container(d);

    if (r == VSM_OK)
        r = probe_streams(d);
    if (r == VSM_OK)
        r = choose_stream(d);
    start_times(d);
    return r;
}

static bool is_mp4(const struct vsm_demux *d)
{
    return strncmp(d->format->iformat->name, "mov,", 4) == 0;
}

/* What our own walk finds comes before what libavformat reports. */
static void read_boxes(struct vsm_demux *d)
{
    struct vsm_vr_boxes *boxes = &d->found.boxes, reported;

    vsm_ff_stream_boxes(d->stream, &reported);
    if (is_mp4(d) && vsm_vr_boxes_read_path(d->path, (uint32_t)d->stream->id, &d->found) != VSM_OK) {
        vsm_log(VSM_LOG_WARN, "VR boxes", "not used: %s", vsm_error_message());
        memset(&d->found, 0, sizeof(d->found));
    }
    if (!boxes->has_stereo) {
        boxes->has_stereo = reported.has_stereo;
        boxes->stereo = reported.stereo;
        boxes->right_left = reported.right_left;
    }
    if (!boxes->has_projection) {
        boxes->has_projection = reported.has_projection;
        boxes->equirect = reported.equirect;
        boxes->bound_top = reported.bound_top;
        boxes->bound_bottom = reported.bound_bottom;
        boxes->bound_left = reported.bound_left;
        boxes->bound_right = reported.bound_right;
        memcpy(boxes->projection_name, reported.projection_name, sizeof(boxes->projection_name));
    }
}

int vsm_demux_open(const char *path, const atomic_bool *interrupt, struct vsm_demux **demux)
{
    struct vsm_demux *d;
    int r = check_file(path);

    vsm_ff_init();
    *demux = NULL;
    if (r)
        return r;
    d = vsm_mem_alloc("demuxer", 1, sizeof(*d));
    if (!d)
        return VSM_E_NOMEM;
    d->path = path;
    d->interrupt = interrupt;
    d->url = vsm_mem_format("file name", "file:%s", path);
    d->kept = av_packet_alloc();
    if (!d->url)
        r = VSM_E_NOMEM;
    else if (!d->kept)
        r = vsm_fail_nomem("packet", sizeof(AVPacket));
    if (r == VSM_OK)
        r = open_streams(d);
    if (r == VSM_OK) {
        read_boxes(d);
        if (d->found.video && !d->found.fragmented)
            r = vsm_packet_table_take_index(&d->table, d->stream);
    }
    if (r != VSM_OK) {
        vsm_demux_close(d);
        return r;
    }
    *demux = d;
    return VSM_OK;
}

void vsm_demux_close(struct vsm_demux *d)
{
    if (!d)
        return;
    av_packet_free(&d->kept);
    avformat_close_input(&d->format);
    vsm_packet_table_finish(&d->table);
    vsm_mem_free(d->url);
    vsm_mem_free(d);
}

AVFormatContext *vsm_demux_format(const struct vsm_demux *d)
{
    return d->format;
}

AVStream *vsm_demux_stream(const struct vsm_demux *d)
{
    return d->stream;
}

const struct vsm_vr_boxes_found *vsm_demux_boxes(const struct vsm_demux *d)
{
    return &d->found;
}

bool vsm_demux_is_still(const struct vsm_demux *d)
{
    const char *name = d->format->iformat->name;
    size_t length = strlen(name);

    return strcmp(name, "image2") == 0 || (length > 5 && strcmp(name + length - 5, "_pipe") == 0);
}

int64_t vsm_demux_indexed(const struct vsm_demux *d)
{
    return d->table.indexed ? d->table.shown : -1;
}

/* Whether a picture comes of a packet: VP8 and VP9 may store reference pictures that are never
 * shown, VP8 in packets of their own (RFC 6386, 9.1; VP9 bitstream 6.2; a VP9 superframe always ends
 * in a shown picture). */
static bool is_shown(enum AVCodecID codec, const AVPacket *packet)
{
    const uint8_t *data = packet->data;
    int profile;

    if (packet->flags & AV_PKT_FLAG_DISCARD)
        return false;
    if (packet->size < 1)
        return true;
    if (codec == AV_CODEC_ID_VP8)
        return data[0] & 0x10;
    if (codec != AV_CODEC_ID_VP9 || (data[packet->size - 1] & 0xE0) == 0xC0)
        return true;
    profile = (data[0] >> 5 & 1) | (data[0] >> 3 & 2);
    if (data[0] >> (profile == 3 ? 2 : 3) & 1)
        return true; /* shows an existing picture */
    return data[0] >> (profile == 3 ? 0 : 1) & 1;
}

/* The next packet of our stream, as the demuxer gives it. */
static int read_raw(struct vsm_demux *d, AVPacket *packet)
{
    int errors = 0;

    for (;;) {
        int error;

        av_packet_unref(packet);
        error = av_read_frame(d->format, packet);
        if (error >= 0 && packet->stream_index == d->stream->index)
            return VSM_OK;
        if (is_interrupted(d))
            return vsm_fail(VSM_E_CANCELLED, "%s: reading was interrupted", d->path);
        if (error >= 0) {
            errors = 0;
            continue;
        }
        if (error == AVERROR(ENOMEM) || error == AVERROR(EIO) || error == AVERROR_EXIT)
            return vsm_ff_fail(VSM_E_INPUT, error, "%s: cannot be read on", d->path);
        if (error == AVERROR_EOF || ++errors >= MAX_ERRORS)
            return VSM_EOF;
    }
}

/* Fills in the entry of the next packet and shifts its times to follow those before. */
static void number_packet(struct vsm_demux *d, const AVPacket *packet, struct vsm_demux_entry *entry)
{
    int64_t dts = packet->dts, pts = packet->pts;

    if (dts != AV_NOPTS_VALUE && d->last_dts != AV_NOPTS_VALUE && dts + d->shift < d->last_dts)
        d->shift = d->end_pts - (pts == AV_NOPTS_VALUE ? dts : pts < dts ? pts : dts);
    *entry = (struct vsm_demux_entry){
        .number = d->number++,
        .pts = pts == AV_NOPTS_VALUE ? pts : pts + d->shift,
        .dts = dts == AV_NOPTS_VALUE ? dts : dts + d->shift,
        .duration = packet->duration > 0 ? packet->duration : 0,
        .key = packet->flags & AV_PKT_FLAG_KEY,
        .shown = is_shown(d->stream->codecpar->codec_id, packet),
    };
    if (entry->dts != AV_NOPTS_VALUE)
        d->last_dts = entry->dts;
    pts = entry->pts == AV_NOPTS_VALUE ? entry->dts : entry->pts;
    if (pts != AV_NOPTS_VALUE && (d->end_pts == AV_NOPTS_VALUE || pts + entry->duration > d->end_pts))
        d->end_pts = pts + (entry->duration ? entry->duration : 1);
}

int vsm_demux_read(struct vsm_demux *d, AVPacket *packet, struct vsm_demux_entry *entry)
{
    const struct vsm_packet_table_row *row = vsm_packet_table_at(&d->table, d->number);

    if (d->has_kept) {
        av_packet_unref(packet);
        av_packet_move_ref(packet, d->kept);
        d->has_kept = false;
    } else {
        int r = read_raw(d, packet);

        if (r)
            return r;
    }
    number_packet(d, packet, entry);
    if (row && row->size != packet->size && !(packet->flags & AV_PKT_FLAG_CORRUPT))
        d->unsure = true;
    if (row && row->pts != AV_NOPTS_VALUE) {
        entry->pts = row->pts;
        entry->dts = row->dts;
    }
    return VSM_OK;
}

/* Demuxes with a second demuxer, so that this one's place is kept. */
static int scan(struct vsm_demux *d, struct vsm_demux *scout, int64_t shown)
{
    struct vsm_demux_entry entry;
    int r = VSM_OK;

    d->table.count = d->table.shown = 0;
    while (r == VSM_OK && d->table.shown < shown + LEARN_BEYOND) {
        r = vsm_demux_read(scout, scout->kept, &entry);
        if (r == VSM_OK)
            r = vsm_packet_table_add(&d->table, &(struct vsm_packet_table_row){.pts = entry.pts,
                                                                               .dts = entry.dts,
                                                                               .pos = scout->kept->pos,
                                                                               .size = scout->kept->size,
                                                                               .key = entry.key,
                                                                               .shown = entry.shown});
        d->shifted |= scout->shift != 0;
    }
    d->table.complete = r == VSM_EOF;
    return r == VSM_EOF ? VSM_OK : r;
}

int vsm_demux_learn(struct vsm_demux *d, int64_t shown)
{
    struct vsm_demux scout = {.path = d->path, .interrupt = d->interrupt, .url = d->url};
    int r;

    if (d->table.complete || d->table.shown >= shown + LEARN_BEYOND)
        return VSM_OK;
    scout.kept = av_packet_alloc();
    if (!scout.kept)
        return vsm_fail_nomem("packet", sizeof(AVPacket));
    r = open_streams(&scout);
    if (r == VSM_OK)
        r = scan(d, &scout, shown);
    avformat_close_input(&scout.format);
    av_packet_free(&scout.kept);
    return r;
}

int64_t vsm_demux_learned(const struct vsm_demux *d)
{
    return d->table.complete ? d->table.shown : -1;
}

bool vsm_demux_key_before(const struct vsm_demux *d, int64_t before, int64_t shown, int64_t *number,
                          int64_t *shown_before)
{
    return vsm_packet_table_key_before(&d->table, before, shown, number, shown_before);
}

/* Reads on to the packet of a row and keeps it. VSM_EOF if it does not come. */
static int search(struct vsm_demux *d, int64_t number)
{
    const struct vsm_packet_table_row *row = vsm_packet_table_at(&d->table, number);

    for (int i = 0; i < MAX_SEARCH; i++) {
        int r = read_raw(d, d->kept);

        if (r)
            return r;
        if (vsm_packet_table_is(&d->table, row, d->kept)) {
            d->has_kept = true;
            return VSM_OK;
        }
        if (d->kept->dts != AV_NOPTS_VALUE && row->dts != AV_NOPTS_VALUE && d->kept->dts > row->dts)
            return VSM_EOF;
    }
    return VSM_EOF;
}

static int seek(struct vsm_demux *d, int64_t number)
{
    const struct vsm_packet_table_row *row = vsm_packet_table_at(&d->table, number);
    int64_t time = d->table.indexed || row->pts == AV_NOPTS_VALUE ? row->dts : row->pts;

    if (d->shifted || time == AV_NOPTS_VALUE)
        return VSM_EOF;
    if (avformat_seek_file(d->format, d->stream->index, INT64_MIN, time, time, 0) < 0)
        return VSM_EOF;
    return search(d, number);
}

static int skip(struct vsm_demux *d, int64_t number)
{
    struct vsm_demux_entry entry;
    int r;

    avformat_close_input(&d->format);
    r = open_streams(d);
    while (r == VSM_OK && d->number < number) {
        r = read_raw(d, d->kept);
        if (r == VSM_OK)
            number_packet(d, d->kept, &entry);
    }
    return r;
}

int vsm_demux_position(struct vsm_demux *d, int64_t number, bool rewind)
{
    int r = VSM_EOF;

    d->unsure = false;
    if (number > 0 && !rewind && number < d->table.count) {
        start_times(d);
        r = seek(d, number);
    }
    if (r == VSM_EOF)
        return skip(d, number);
    d->number = number;
    return r;
}

bool vsm_demux_unsure(const struct vsm_demux *d)
{
    return d->unsure;
}
