// The one EXIF entry that changes what a picture shows, by libexif.

#include <libexif/exif-data.h>

#include <memory>

#include "images/decoders.h"

namespace pgad {

int exif_orientation(std::string_view exif) {
  // libexif takes blocks as JPEG has them, and reads no further than 65534 bytes.
  const std::string block = std::string("Exif\0\0", 6) + std::string(exif.substr(0, 0xffff));
  const std::unique_ptr<ExifData, void (*)(ExifData*)> data(exif_data_new(), exif_data_unref);
  if (!data) return 1;
  exif_data_unset_option(data.get(), EXIF_DATA_OPTION_FOLLOW_SPECIFICATION);  // as it is, not as it should be
  exif_data_load_data(data.get(), reinterpret_cast<const unsigned char*>(block.data()),
                      static_cast<unsigned int>(block.size()));
  const ExifEntry* entry = exif_content_get_entry(data->ifd[EXIF_IFD_0], EXIF_TAG_ORIENTATION);
  if (!entry || entry->format != EXIF_FORMAT_SHORT || entry->size < 2) return 1;
  const int value = exif_get_short(entry->data, exif_data_get_byte_order(data.get()));
  return value >= 1 && value <= 8 ? value : 1;
}

}  // namespace pgad
