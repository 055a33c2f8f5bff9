/* Optimised networks on disk: what ONNX Runtime made of a model's graphs at an earlier start, kept for the
 * next ones. Then starting neither checks nor optimises them again, and their weights are pages of a file
 * that the kernel may take back and that all processes share, instead of memory of each process (measured:
 * doc/sam2.md).
 *
 * The folder holds one subfolder, an entry, for each key: the SHA-256 of everything that an optimised graph
 * depends on (which the caller says) and of what this file adds: the library's version, its providers and the
 * CPU's name and instruction sets, for weights are packed for them. In an entry, for each network NAME:
 *   NAME-HASH.onnx      the optimised graph; HASH: 16 digits of that of the graph it was made of
 *                       (nn/graph_hash.h), which for half precision is the one that nn/graph_half.h makes
 *   NAME-HASH.weights   its weights, also as the CPU's kernels want them
 *   list                a line for each of these files: SHA-256 in hexadecimal, a space, size, a space, name,
 *                       a newline.
 * An entry is made in a folder KEY.XXXXXX, whose files are synced before it gets its name: it is
 * whole or absent. All files are compared with the list before they are used; an entry that does not
 * fit is deleted, with one warning. Entries of the whole folder take VSM_GRAPH_CACHE_BYTES at most:
 * the ones unused for longest go.
 *
 * Nothing here is needed: every failure is a line in the log, and the networks are then made as without it.
 * Several processes may use one folder. One cache is used by one thread.
 */
#ifndef VSM_NN_GRAPH_CACHE_H
#define VSM_NN_GRAPH_CACHE_H

#include "base/hash.h"
#include "base/status.h"
#include "nn/session.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define VSM_GRAPH_CACHE_BYTES ((uint64_t)6 << 30) /* three of the largest model */

struct vsm_graph_cache;

/* $XDG_CACHE_HOME/vr180-streaming/graphs, else ~/.cache/...; the caller's. NULL if neither is known, or out
 * of memory. */
char *vsm_graph_cache_folder(void);

/* Looks for the entry of a key and checks it, which reads its files (about 1 s a GiB); makes an unfinished
 * one if there is none and `bytes`, an estimate of its size, fit on the disk. NULL if the cache cannot be
 * used. */
struct vsm_graph_cache *vsm_graph_cache_open(const char *folder, const struct vsm_sha256 *key,
                                             uint64_t bytes);
/* Deletes an unfinished entry. */
void vsm_graph_cache_close(struct vsm_graph_cache *cache);

/* Whether networks can be read from it; else they are to be written to it. False for NULL. */
bool vsm_graph_cache_is_whole(const struct vsm_graph_cache *cache);

/* Whether networks can be written to it. False for NULL. */
bool vsm_graph_cache_is_ready(const struct vsm_graph_cache *cache);

/* As vsm_session_create() on any device, by way of the entry: reads this very graph (nn/graph_hash.h) from a
 * whole one, or writes it to an unfinished one. Names of graphs: letters, digits and "_". VSM_E_MODEL if a
 * whole entry has another graph of that name. Cost, with half precision: the graph is converted for its hash
 * alone, and once more where it is written. */
int vsm_graph_cache_session(const struct vsm_graph_cache *cache, const struct vsm_graph *graph,
                            const struct vsm_session_options *options,
                            struct vsm_session **session) VSM_NODISCARD;

/* After all networks were written: the entry becomes whole, and old ones make room. False if that failed. */
bool vsm_graph_cache_finish(struct vsm_graph_cache *cache);
/* A whole entry that the library refuses: deletes it. The cache is then unfinished, and can be written
 * again. */
void vsm_graph_cache_reject(struct vsm_graph_cache *cache);

/* Deletes all entries of a folder; *bytes: what they took. VSM_E_OUTPUT if one cannot be deleted. */
int vsm_graph_cache_clear(const char *folder, uint64_t *bytes) VSM_NODISCARD;
uint64_t vsm_graph_cache_bytes(const char *folder);

#endif
