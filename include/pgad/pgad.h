#ifndef PGAD_PGAD_H
#define PGAD_PGAD_H
/** \file
 * Inspection of pictures in memory by a trained model, in C (C99); what it does is said in inspector.h.
 *
 * \code
 *   char* error = NULL;
 *   pgad_inspector* inspector = pgad_open("model.safetensors", NULL, &error);
 *   pgad_picture picture = {pixels, height, width, 3};  // if it could not be opened, the next call says so
 *   pgad_result* result = pgad_inspect(inspector, &picture, &error);
 *   if (result == NULL) { fprintf(stderr, "%s\n", error); pgad_free(error); }
 *   else if (pgad_result_decision(result) == PGAD_ANOMALOUS) ...
 *   pgad_result_destroy(result);
 *   pgad_close(inspector);
 * \endcode
 *
 * Errors: functions that can fail take `char** error`, which must point to NULL. On failure they return NULL or 0 and
 * set it to a message that the caller gives to pgad_free(). `error` itself may be NULL. No C++ exception leaves a
 * function. NULL for another pointer is an error of these functions; the others take it only where it is said. Texts
 * are bytes that end in 0, UTF-8 where they are the library's.
 *
 * Thread-safety: an inspector may be used by any threads at once, but for pgad_close(); options and results by one at a
 * time.
 */

#include <pgad/export.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct pgad_options pgad_options;     /**< for pgad_open() */
typedef struct pgad_inspector pgad_inspector; /**< pgad::Inspector */
typedef struct pgad_result pgad_result;       /**< pgad::Result */

/** pgad::Depth */
typedef enum { PGAD_8_BIT = 0, PGAD_16_BIT = 1, PGAD_FLOAT = 2 } pgad_depth;
/** pgad::ChannelOrder */
typedef enum { PGAD_RGB = 0, PGAD_BGR = 1 } pgad_order;
/** pgad::Decision */
typedef enum { PGAD_NORMAL = 0, PGAD_ANOMALOUS = 1, PGAD_UNDECIDED = 2 } pgad_decision;

/** Pixels of the caller's, not copied; pgad::Picture. All zeros after `width` and `channels` means 8 bits, rows without
 * gaps, RGB. */
typedef struct pgad_picture {
  const void* pixels;   /**< the first value of the top row */
  int height;           /**< pixels */
  int width;            /**< pixels */
  int channels;         /**< 1 grey, 3 colour, 4 colour and alpha (left out) */
  ptrdiff_t row_stride; /**< bytes, negative where rows lie bottom up; 0: no gaps */
  int depth;            /**< a pgad_depth */
  int order;            /**< a pgad_order */
  int bits;             /**< for PGAD_16_BIT: that count, 9 to 16; 0: 16 */
} pgad_picture;

/** pgad::Region, without its contours. */
typedef struct pgad_region {
  int left;     /**< of its box, pixels */
  int top;      /**< the same */
  int width;    /**< the same */
  int height;   /**< the same */
  int64_t area; /**< pixels */
  double peak;  /**< largest value of the map in it */
  int peak_x;   /**< where that is */
  int peak_y;   /**< the same */
  double mean;  /**< of the map in it */
} pgad_region;

/** "0.1.0"; not to be freed. */
PGAD_API const char* pgad_version(void);
/** Gives a message of the library back; NULL is allowed. */
PGAD_API void pgad_free(char* message);

/** Options of pgad_open(), at their defaults; never NULL but without memory. */
PGAD_API pgad_options* pgad_options_create(void);
PGAD_API void pgad_options_destroy(pgad_options* options); /**< NULL is allowed */
/** "device", "threads", "maps" ("0" or "1"), "threshold", "region_threshold", and what pgad::InspectorOptions::more
 * takes, whose values pgad_open() checks. \return 1, or 0 with an error. */
PGAD_API int pgad_options_set(pgad_options* options, const char* name, const char* value, char** error);
/** pgad::InspectorOptions::on_progress; `state` is handed to it. */
PGAD_API void pgad_options_set_progress(pgad_options* options,
                                        void (*on_progress)(void* state, uint64_t ticket, double share), void* state);

/** Opens a model file. `options` may be NULL, and may be destroyed afterwards. */
PGAD_API pgad_inspector* pgad_open(const char* model_file, const pgad_options* options, char** error);
/** Gives up what is under way. NULL is allowed. */
PGAD_API void pgad_close(pgad_inspector* inspector);

/** Inspects one picture and waits for it. */
PGAD_API pgad_result* pgad_inspect(pgad_inspector* inspector, const pgad_picture* picture, char** error);
/** Inspects `count` pictures together and sets results[0..count-1], each to be destroyed. \return 1, or 0 with an error
 * and no results. */
PGAD_API int pgad_inspect_many(pgad_inspector* inspector, const pgad_picture* pictures, size_t count,
                               pgad_result** results, char** error);

/** Takes a picture up; \return its ticket, or 0 with an error. */
PGAD_API uint64_t pgad_submit(pgad_inspector* inspector, const pgad_picture* picture, char** error);
/** A submitted picture that is done, or NULL where there is none within `seconds`, or on an error: then `error` is set.
 * `ticket`, if not NULL, is set where a picture is done, also with an error of this picture. */
PGAD_API pgad_result* pgad_poll(pgad_inspector* inspector, double seconds, uint64_t* ticket, char** error);
/** \return 1 if the picture was under way; pgad_poll() then hands it out as cancelled. */
PGAD_API int pgad_cancel(pgad_inspector* inspector, uint64_t ticket);
PGAD_API void pgad_cancel_all(pgad_inspector* inspector); /**< pgad_cancel() of all that are submitted */
/** Pictures that are submitted and not yet handed out. */
PGAD_API size_t pgad_pending(const pgad_inspector* inspector);
/** \return 1, or 0 with an error. */
PGAD_API int pgad_warm_up(pgad_inspector* inspector, char** error);

PGAD_API int pgad_side(const pgad_inspector* inspector);         /**< of the square the networks see, pixels */
PGAD_API int pgad_channels(const pgad_inspector* inspector);     /**< that they see, 1 or 3 */
PGAD_API double pgad_threshold(const pgad_inspector* inspector); /**< of `combined`; NaN where there is none */
/** Of score `index` (0, 1, ...); NULL past the last one. Not to be freed. */
PGAD_API const char* pgad_score_name(size_t index);

PGAD_API int pgad_result_decision(const pgad_result* result); /**< a pgad_decision */
/** NaN where there is no such score. */
PGAD_API double pgad_result_score(const pgad_result* result, const char* name);
PGAD_API double pgad_result_threshold(const pgad_result* result); /**< of `combined`; NaN where there is none */
/** The anomaly map, [height][width], which lives as long as the result; NULL where there is none. `height` and `width`
 * may be NULL, and are set to the picture's in any case. */
PGAD_API const float* pgad_result_map(const pgad_result* result, int* height, int* width);
/** How many regions there are, the highest first; -1 where they were not looked for (pgad::Result::regions). */
PGAD_API int pgad_result_regions(const pgad_result* result);
/** Sets `region` to region `index` (0, 1, ...). \return 1, or 0 if there is no such region. */
PGAD_API int pgad_result_region(const pgad_result* result, int index, pgad_region* region);
/** Border `contour` of region `index`: 0 the outer one, then those of holes; x, y, x, y, ... as in pgad::Region, which
 * live as long as the result. `count`, if not NULL, is set to the number of values. NULL past the last one. */
PGAD_API const int* pgad_result_contour(const pgad_result* result, int index, int contour, size_t* count);
PGAD_API int pgad_result_steps(const pgad_result* result);     /**< that the search took */
PGAD_API int pgad_result_cancelled(const pgad_result* result); /**< 1 or 0 */
PGAD_API void pgad_result_destroy(pgad_result* result);        /**< NULL is allowed */

#ifdef __cplusplus
}
#endif

#endif
