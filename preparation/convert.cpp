#include "preparation/convert.h"

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string_view>
#include <tuple>
#include <utility>

#include "engine/check.h"
#include "images/atomic_file.h"
#include "images/dataset.h"
#include "images/idx.h"
#include "images/image.h"
#include "images/listing.h"
#include "images/preprocess.h"
#include "images/printable.h"
#include "preparation/annotated_images.h"
#include "preparation/annotations.h"
#include "preparation/csv.h"
#include "preparation/output_folder.h"
#include "preparation/pairs.h"
#include "preparation/text.h"

namespace pgad {
namespace {

bool holds_good(const std::string& folder) {
  return is_directory(join_path(folder, "train/good")) || is_directory(join_path(folder, "test/good"));
}
bool holds_test_public(const std::string& folder) { return is_directory(join_path(folder, "test_public")); }

// ---- All layouts ----

// An image of the source and what becomes of it.
struct Item {
  std::string file;
  bool train = false;
  std::string kind;   // of the defect; empty: normal
  std::string where;  // that names it, for errors; may be empty
  std::string name = {};
  std::string mask = {};                 // a file; empty: none, or drawn
  std::optional<double> threshold = {};  // the mask is written anew: values above are anomalous
  Region region = {};
  int height = 0, width = 0;                  // as the annotations say; 0: they do not
  std::shared_ptr<const IdxImages> idx = {};  // the image is its `index`-th, and `file` a name for it
  long index = 0;
};

class Converter {
 public:
  Converter(const ConvertOptions& options, const std::function<void(long, long)>& progress,
            const std::function<bool()>& stop)
      : options_(options), progress_(progress), stop_(stop) {}

  Converted run() {
    if (!is_directory(options_.source))
      throw UsageError(str("'", options_.source, "' is no folder; expected the folder of a data set"));
    OutputFolder::require_outside(options_.out, options_.source);
    result_.layout = options_.layout == SourceLayout::kAuto ? recognise(options_.source) : options_.layout;
    check_meaning();
    plan();
    if (items_.empty()) throw DataError(str("'", options_.source, "': no images found"));
    std::ranges::sort(items_, {}, &Item::file);  // which of two equal names is changed must not depend on the source
    const auto normal = std::ranges::count_if(items_, [](const Item& item) { return item.kind.empty(); });
    if (normal == 0) note("there is no normal image: nothing can be trained on");
    if (normal == std::ssize(items_)) note("there is no image with a defect: nothing can be tested");
    for (const std::string& text : left_out_.notes()) note(text);
    write();
    return std::move(result_);
  }

 private:
  void note(std::string text) { result_.notes.push_back(std::move(text)); }
  template <class... Parts>
  void note_count(long count, const Parts&... parts) {
    if (count > 0) note(str(count, parts...));
  }

  // Options that the layout has no use for are a mistake.
  void check_meaning() const {
    using enum SourceLayout;
    const SourceLayout layout = result_.layout;
    const bool boxes = layout == kCoco || layout == kVoc;
    const auto check = [&](const char* option, const std::string& value, bool meaning) {
      if (!value.empty() && !meaning)
        throw UsageError(str(option, " '", value, "' has no meaning for the layout ",
                             kSourceLayoutNames[static_cast<std::size_t>(layout)]));
    };
    check("--normal", options_.normal, boxes || layout == kPairs || layout == kClasses || layout == kIdx);
    check("--object", options_.object, layout == kMvtec || layout == kMvtec2 || layout == kVisa);
    check("--annotations", options_.annotations, boxes || layout == kVisa);
    check("--images", options_.images, boxes);
    if (options_.unannotated_normal && !boxes)
      throw UsageError("--unannotated-normal has a meaning for coco and voc alone");
  }

  void plan() {
    switch (result_.layout) {
      case SourceLayout::kPairs:
        return plan_pairs();
      case SourceLayout::kMvtec:
        return plan_mvtec();
      case SourceLayout::kMvtec2:
        return plan_mvtec2();
      case SourceLayout::kVisa:
        return plan_visa();
      case SourceLayout::kClasses:
        return plan_classes();
      case SourceLayout::kCoco:
        return plan_coco();
      case SourceLayout::kVoc:
        return plan_voc();
      case SourceLayout::kIdx:
        return plan_idx();
      case SourceLayout::kAuto:
        break;
    }
    PGAD_CHECK(false, "recognise() always finds a layout");
  }

  void add_item(Item item) {
    check_stop();
    if (!has_image_extension(item.file))
      throw DataError(str(item.where, ": '", item.file, "' is no image that is read; expected ", kImageEndings));
    if (!files_.insert(item.file).second)
      throw DataError(str(item.where, ": the image '", item.file, "' is named twice; expected each once"));
    items_.push_back(std::move(item));
  }

  void check_stop() const {
    if (stop_()) throw Error(str("interrupted while '", options_.source, "' was looked through: nothing is written"));
  }

  // The folder of a kind of defect: what is not fit for a folder's name is replaced.
  std::string kind_folder(const std::string& name) {
    if (const auto known = kinds_.find(name); known != kinds_.end()) return known->second;
    if (name == "good")
      throw UsageError(
          "'good' is a kind of defect here, but the folder of the normal images is called so: name it with --normal if "
          "it is what is normal, else rename it in the source");
    std::string folder = name;
    for (char& c : folder) {
      const auto byte = static_cast<unsigned char>(c);
      const bool plain = byte >= 0x80 || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                         c == '-' || c == '_' || c == '.';
      if (!plain) c = '_';
    }
    if (folder.empty() || folder[0] == '.') folder.insert(0, "_");
    const std::string plain = folder;
    for (int i = 2; !kind_folders_.insert(folder).second; ++i) folder = str(plain, "_", i);
    if (folder != name) note(str("the kind '", printable(name), "' is the folder '", printable(folder), "'"));
    return kinds_[name] = folder;
  }

  // The data set itself, or the one among its subfolders that --object names.
  std::string choose_object(bool (*is_one)(const std::string&), const char* expected) const {
    const std::string& source = options_.source;
    std::vector<std::string> objects;
    if (is_one(source)) {
      if (!options_.object.empty())
        throw UsageError(str("--object '", options_.object, "': '", source, "' is a single data set"));
      return source;
    }
    for (const std::string& name : list_subdirectories(source))
      if (is_one(join_path(source, name))) objects.push_back(name);
    if (objects.empty()) throw UsageError(str("'", source, "': expected ", expected, " in it or in its subfolders"));
    return join_path(source, one_object(objects));
  }

  std::string one_object(const std::vector<std::string>& objects) const {
    if (options_.object.empty() && objects.size() == 1) return objects.front();
    if (std::ranges::find(objects, options_.object) == objects.end())
      throw UsageError(str("--object", options_.object.empty() ? "" : " '" + options_.object + "'",
                           ": expected one of ", joined(objects)));
    return options_.object;
  }

  void note_images_beside(const std::string& folder) {
    note_count(std::ssize(images_directly_in(folder)), " images directly in '", folder, "' are not used");
  }

  // ---- one function for each layout ----

  void plan_pairs() {
    PairedImages pairs = read_pairs(options_.source, options_.normal, [this] { check_stop(); });
    for (PairedImage& p : pairs.images)
      add_item({.file = p.image,
                .train = p.train,
                .kind = p.kind.empty() ? "" : kind_folder(p.kind),
                .where = "",
                .mask = p.mask,
                .threshold = p.threshold});
    result_.notes.insert(result_.notes.end(), pairs.notes.begin(), pairs.notes.end());
    left_out_.add(pairs.left_out);
  }

  void plan_mvtec() {
    const std::string root = choose_object(holds_good, "train/good or test/good");
    DataConfig config;
    config.path = root;
    config.calibration_fraction = 0;
    const Dataset data =
        Dataset::open(config, is_directory(join_path(root, "train/good")) ? Purpose::kTrain : Purpose::kEvaluate);
    long without = 0;
    std::set<std::string> used;
    for (const auto* list : {&data.train_normal, &data.train_abnormal, &data.test})
      for (const Sample& s : *list) {
        without += s.anomalous && s.mask_path.empty();
        used.insert(s.mask_path);
        add_item({.file = s.path,
                  .train = list != &data.test,
                  .kind = s.anomalous ? kind_folder(s.group) : "",
                  .where = "",
                  .mask = s.mask_path});
      }
    note_count(without, " images of defects have no mask in '", root, "/ground_truth'");
    if (const std::string truth = join_path(root, "ground_truth"); is_directory(truth)) {
      const auto all = list_images(truth);
      note_count(std::ranges::count_if(all, [&](const std::string& m) { return !used.contains(join_path(truth, m)); }),
                 " files of '", truth, "' belong to no image (ground_truth/KIND/NAME_mask.png belongs to ",
                 "test/KIND/NAME.*) and are not used");
    }
    result_.notes.insert(result_.notes.end(), data.notes.begin(), data.notes.end());
    list_files(root, &left_out_);
    for (const std::string& name : list_subdirectories(root))
      if (name != "train" && name != "test" && name != "ground_truth")
        note(str("the folder '", join_path(root, name), "' is not used"));
  }

  void plan_mvtec2() {
    const std::string root = choose_object(holds_test_public, "test_public");
    const auto images_of = [&](const std::string& folder) {
      std::vector<std::string> files;
      if (!is_directory(folder)) return files;
      for (const std::string& name : list_images(folder, &left_out_)) files.push_back(join_path(folder, name));
      return files;
    };
    for (const std::string& file : images_of(join_path(root, "train/good"))) add_item({file, true, "", ""});
    for (const std::string& file : images_of(join_path(root, "validation/good")))
      add_item({.file = file, .train = true, .kind = "", .where = "", .name = "validation_" + file_name(file)});
    const std::string test = join_path(root, "test_public");
    long without = 0;
    for (const std::string& kind : list_subdirectories(test, &left_out_)) {
      if (kind == "ground_truth") continue;
      const std::string truth = join_path(test, "ground_truth/" + kind);
      std::map<std::string, std::string> masks;
      for (const std::string& mask : images_of(truth)) masks[stem_of(mask)] = mask;
      for (const std::string& file : images_of(join_path(test, kind))) {
        Item item{file, false, kind == "good" ? "" : kind_folder(kind), ""};
        const auto mask = masks.find(join_path(truth, stem_of(file_name(file)) + "_mask"));
        if (mask != masks.end()) item.mask = mask->second;
        without += kind != "good" && mask == masks.end();
        add_item(std::move(item));
      }
    }
    note_count(without, " images of defects have no mask in '", test, "/ground_truth'");
    for (const std::string& name : list_subdirectories(root))
      if (name.starts_with("test_private")) note(str("'", name, "' is not used: what its images show is not public"));
  }

  void plan_visa() {
    const std::string& source = options_.source;
    std::string csv = options_.annotations;
    if (csv.empty()) {
      const std::string folder = join_path(source, "split_csv");
      const std::vector<std::string> files = files_below(folder, ".csv");
      if (files.empty()) throw UsageError(str("'", folder, "': expected CSV files, as in VisA"));
      const bool standard = std::ranges::find(files, "1cls.csv") != files.end();
      if (!standard && files.size() > 1)
        throw UsageError(str("'", folder, "' holds several splits: --annotations says which: ", joined(files)));
      csv = join_path(folder, standard ? "1cls.csv" : files.front());
    }
    const std::vector<Row> rows = read_csv(csv, {"object", "split", "label", "image", "mask"});
    std::set<std::string> objects;
    for (const Row& row : rows) objects.insert(row.cells.at("object"));
    if (objects.empty()) throw DataError(str("'", csv, "': expected a line for each image, but there is none"));
    const std::string object = one_object({objects.begin(), objects.end()});
    const auto file_of = [&](const Row& row, const char* column) {
      std::string file = join_path(source, checked_path(row.cells.at(column), row.where));
      if (!path_exists(file))
        throw DataError(str(row.where, ": the ", column, " '", file, "' does not exist; is the data set whole?"));
      return file;
    };
    long without = 0;
    for (const Row& row : rows) {
      if (row.cells.at("object") != object) continue;
      const std::string &split = row.cells.at("split"), &label = row.cells.at("label");
      if (split != "train" && split != "test") fail_value(row.where, "split", "'" + split + "'", "train or test");
      if (label != "normal" && label != "anomaly")
        fail_value(row.where, "label", "'" + label + "'", "normal or anomaly");
      Item item{file_of(row, "image"), split == "train", label == "normal" ? "" : kind_folder(label), row.where};
      if (label == "anomaly" && !row.cells.at("mask").empty()) {
        item.mask = file_of(row, "mask");
        item.threshold = 0;  // values are labels of kinds
      }
      without += label == "anomaly" && item.mask.empty();
      add_item(std::move(item));
    }
    note_count(without, " images of defects have no mask");
  }

  void plan_classes() {
    const std::string& source = options_.source;
    std::map<std::string, std::vector<std::string>> classes;
    for (const std::string& name : list_subdirectories(source, &left_out_)) {
      std::vector<std::string> images = list_images(join_path(source, name), &left_out_);
      if (!images.empty()) classes[name] = std::move(images);
    }
    std::vector<std::string> names, guessed;
    for (const auto& [name, images] : classes) names.push_back(name);
    if (names.empty()) throw UsageError(str("'", source, "': expected a folder of images for each class"));
    std::ranges::copy_if(names, std::back_inserter(guessed), sounds_normal);
    std::set<std::string> normal = names_of("--normal", options_.normal, names);
    if (normal.empty()) {
      if (guessed.empty())
        throw UsageError(str("'", source, "': --normal must say which classes are normal; there are ", joined(names)));
      note(str("taken for normal by their names: ", joined(guessed), "; --normal says otherwise"));
      normal.insert(guessed.begin(), guessed.end());
    }
    for (const auto& [name, images] : classes)
      for (const std::string& image : images)
        add_item({join_path(source, name + "/" + image), false, normal.contains(name) ? "" : kind_folder(name), ""});
    note_images_beside(source);
  }

  void plan_idx() {
    const std::string& source = options_.source;
    struct Part {
      std::string name;
      std::shared_ptr<const IdxImages> images;
      std::vector<std::uint8_t> labels;
    };
    std::vector<Part> parts;
    std::set<int> labels;
    for (const IdxPair& pair : find_idx_pairs(source)) {
      const auto images = std::make_shared<const IdxImages>(read_idx_images(pair.images));
      parts.push_back({pair.name, images, read_idx_labels(pair, *images)});
      const Part& part = parts.back();
      labels.insert(part.labels.begin(), part.labels.end());
    }
    if (labels.empty())
      throw UsageError(str("'", source, "': expected IDX files with images and labels, NAME-images-idx3-ubyte[.gz]"));
    std::vector<std::string> names;
    for (const int label : labels) names.push_back(std::to_string(label));
    const std::set<std::string> normal = names_of("--normal", options_.normal, names);
    if (normal.empty())
      throw UsageError(str("'", source, "': --normal must say which labels are normal; there are ", joined(names)));
    for (const Part& part : parts)
      for (long i = 0; i < part.images->count; ++i) {
        char number[24];
        std::snprintf(number, sizeof number, "%05ld", i);
        const std::string label = std::to_string(part.labels[static_cast<std::size_t>(i)]);
        add_item({.file = join_path(source, part.name + "_" + number + ".png"),
                  .kind = normal.contains(label) ? "" : kind_folder(label),
                  .where = "",
                  .idx = part.images,
                  .index = i});
      }
  }

  void plan_coco() {
    const std::string& source = options_.source;
    std::string path = options_.annotations;
    if (path.empty()) {
      std::vector<std::string> files = files_below(source, ".json");
      std::erase_if(files, [&](const std::string& file) { return !is_coco(join_path(source, file)); });
      if (files.empty())
        throw UsageError(str("'", source, "': expected a JSON file with images and annotations, as COCO's"));
      if (files.size() > 1)
        throw UsageError(
            str("'", source, "' holds several files of annotations: --annotations says which: ", joined(files)));
      path = join_path(source, files.front());
    }
    Coco coco = read_coco(path);
    const std::string images = coco_images(coco, path, source, options_.images);
    std::vector<std::string> names;
    for (const auto& [id, name] : coco.categories) names.push_back(name);
    const std::set<std::string> normal = names_of("--normal", options_.normal, names);

    std::map<std::string, std::map<std::string, Region>> regions;  // image -> category ->
    if (!coco.empty.empty())
      note(str(coco.empty.size(), " annotations mark nothing and are left out: ", joined(coco.empty)));
    for (CocoAnnotation& a : coco.annotations) {
      const auto image = coco.images.find(a.image);
      if (image == coco.images.end())
        throw DataError(str(a.where, ": there is no image with the id ", a.image, "; expected one in \"images\""));
      const auto category = coco.categories.find(a.category);
      if (category == coco.categories.end())
        throw DataError(
            str(a.where, ": there is no category with the id ", a.category, "; expected one in \"categories\""));
      CocoImage& of = image->second;
      if (a.width > 0) {
        if (of.width == 0) std::tie(of.height, of.width) = std::pair(a.height, a.width);
        if (of.width != a.width || of.height != a.height)
          throw DataError(str(a.where, ": run lengths of ", a.width, "x", a.height, ", but ", of.where, " is ",
                              of.width, "x", of.height, "; expected the same size"));
      }
      if (!normal.contains(category->second)) unite(regions[a.image][category->second], std::move(a.region));
    }
    for (auto& [id, image] : coco.images) {
      Item item{.file = join_path(images, image.file),
                .kind = "",
                .where = image.where,
                .height = image.height,
                .width = image.width};
      add_annotated(std::move(item), regions[id]);
    }
    finish_annotated(images);
  }

  void plan_voc() {
    const std::string& source = options_.source;
    const std::string folder = options_.annotations.empty() ? voc_folder(source) : options_.annotations;
    const std::vector<std::string> files = files_below(folder, ".xml");
    if (files.empty()) throw UsageError(str("'", folder, "': expected VOC's XML files, one for each image"));
    std::string images = options_.images;
    if (images.empty()) images = subfolder(source, {"jpegimages", "images", "imgs"});
    if (images.empty()) images = source;
    const ImagesByName by_name = images_by_name(images);
    std::vector<Voc> all;
    std::set<std::string> categories;
    for (const std::string& file : files) {
      check_stop();
      all.push_back(read_voc(folder, file));
      for (const auto& [name, region] : all.back().objects) categories.insert(name);
    }
    const std::set<std::string> normal = names_of("--normal", options_.normal, {categories.begin(), categories.end()});
    for (Voc& voc : all) {
      std::map<std::string, Region> regions;
      for (auto& [name, region] : voc.objects)
        if (!normal.contains(name)) unite(regions[name], std::move(region));
      add_annotated({.file = join_path(images, voc_image(voc, by_name, images)),
                     .kind = "",
                     .where = voc.where,
                     .height = voc.height,
                     .width = voc.width},
                    regions);
    }
    finish_annotated(images);
  }

  // Its kind is the category that covers most.
  void add_annotated(Item item, const std::map<std::string, Region>& regions) {
    double largest = -1;
    for (const auto& [name, region] : regions) {
      unite(item.region, region);
      if (const double area = area_of(region); area > largest) {
        largest = area;
        item.kind = name;
      }
    }
    if (!regions.empty()) item.kind = kind_folder(item.kind);
    several_ += regions.size() > 1;
    add_item(std::move(item));
  }

  void finish_annotated(const std::string& images) {
    note_count(several_, " images show several categories: the one that covers most is their kind");
    long without = 0;
    for (const std::string& name : list_images(images, &left_out_)) {
      if (files_.contains(join_path(images, name))) continue;
      ++without;
      if (options_.unannotated_normal) add_item({.file = join_path(images, name), .kind = "", .where = ""});
    }
    note_count(
        without, " images of '", images, "' have no annotation file or entry and are ",
        options_.unannotated_normal ? "taken for normal" : "left out; --unannotated-normal takes them for normal");
    divide_by_folders(images);
    left_out_.files.erase(".xml");
    left_out_.files.erase(".json");
  }

  // Where all images lie in folders called train, test and valid or the like, these say what trains.
  void divide_by_folders(const std::string& images) {
    std::set<std::string> parts;
    long without = 0;
    std::vector<std::string> part_of(items_.size());
    for (std::size_t i = 0; i < items_.size(); ++i) {
      const std::vector<std::string> path = divided_at(items_[i].file.substr(images.size()), '/');
      const auto part = std::find_if(path.begin(), path.end() - 1, is_split);
      without += part == path.end() - 1;
      if (part != path.end() - 1) parts.insert(part_of[i] = lower_case(*part));
    }
    if (without > 0 || !parts.contains("test")) {
      if (!parts.empty())
        note(str("images lie in folders called ", joined(parts), without > 0 ? ", others do not" : "",
                 ": all are put into test/, pgad_data split divides them"));
      return;
    }
    for (std::size_t i = 0; i < items_.size(); ++i) items_[i].train = part_of[i] != "test";
    note(str("divided by the folders ", joined(parts), ": those of test/ are to be tested, all others train"));
  }

  // ---- what is written ----

  void write() {
    OutputFolder out(options_.out, options_.copy);
    const long total = std::ssize(items_);
    long done = 0;
    const auto incomplete = [&] {
      return str("'", options_.out, "' is incomplete: it holds ", done, " of ", total, " images");
    };
    try {
      for (const Item& item : items_) {
        if (stop_()) throw Error("interrupted");
        write(item, out);
        progress_(++done, total);
      }
      result_.images = out.images();
      result_.masks = out.masks() + written_masks_;
      note_count(nothing_marked_, " images of defects have masks in which nothing is marked: what their annotations ",
                 "show lies outside or between the centres of pixels");
      write_description(out);
    } catch (const DataError& e) {
      throw DataError(str(e.what(), "; ", incomplete()));
    } catch (const Error& e) {
      throw Error(str(e.what(), "; ", incomplete()));
    }
  }

  void write(const Item& item, OutputFolder& out) {
    const bool known = item.train && !item.kind.empty();
    const std::string folder = item.kind.empty() ? (item.train ? "train/good" : "test/good")
                               : known           ? "train/abnormal"
                                                 : "test/" + item.kind;
    const std::string truth = "ground_truth/" + (known ? "abnormal" : item.kind);
    std::string wanted = item.name.empty() ? file_name(item.file) : item.name;
    // Known defects of all kinds share a folder: their kind stands before their name.
    if (known && item.kind != "abnormal" && !wanted.starts_with(item.kind + "_")) wanted = item.kind + "_" + wanted;
    // Images that share a folder of masks must not share a name.
    const std::string name = out.name_for(item.kind.empty() ? folder : truth, join_path(folder_of(item.file), wanted));
    if (!item.mask.empty() && !item.threshold) out.add_mask(item.mask, truth, name);
    if (!item.mask.empty() && item.threshold) {
      const Image mask = read_image(item.mask, nullptr, {.keep_alpha = true});
      const std::vector<std::uint8_t> marked = mask_pixels(mask, *item.threshold, item.mask);
      put_mask(out, truth, name, {mask.height, mask.width, 1, {marked.begin(), marked.end()}});
    }
    if (item.mask.empty() && !item.kind.empty() && !(item.region.polygons.empty() && item.region.runs.empty()))
      put_mask(out, truth, name, drawn(item));
    if (item.idx)
      write_png(out.place_image(folder, name), item.idx->image(item.index));
    else
      out.add(item.file, folder, name);
  }

  void put_mask(OutputFolder& out, const std::string& truth, const std::string& name, const Image& mask) {
    write_png(out.place(truth, stem_of(name) + "_mask.png"), mask);
    ++written_masks_;
    nothing_marked_ += std::ranges::count(mask.pixels, 1.0f) == 0;
  }

  static Image drawn(const Item& item) {
    const Image image = read_image(item.file);
    if (item.width > 0 && item.height > 0 && (image.width != item.width || image.height != item.height))
      throw DataError(str(
          item.where, ": the image is ", item.width, "x", item.height, " here, but '", item.file, "' is ", image.width,
          "x", image.height,
          image.orientation == 1 ? "" : str(", turned upright as its EXIF orientation ", image.orientation, " says"),
          "; expected the same size: annotations of pictures that were resized or turned do not fit"));
    return draw_region(item.region, image.height, image.width);
  }

  void write_description(OutputFolder& out) const {
    std::vector<std::string> notes;
    for (const std::string& text : result_.notes) notes.push_back(printable(text));
    std::map<std::string, long> images;
    for (const auto& [folder, count] : result_.images) images[printable(folder)] = count;
    const nlohmann::ordered_json json = {{"made_by", "pgad_data convert"},
                                         {"source", printable(options_.source)},
                                         {"layout", kSourceLayoutNames[static_cast<std::size_t>(result_.layout)]},
                                         {"normal", printable(options_.normal)},
                                         {"object", printable(options_.object)},
                                         {"annotations", printable(options_.annotations)},
                                         {"images", images},
                                         {"masks", result_.masks},
                                         {"notes", notes}};
    write_file_atomically(out.place("", "description.json"), json.dump(2) + "\n");
  }

  const ConvertOptions& options_;
  const std::function<void(long, long)>& progress_;
  const std::function<bool()>& stop_;
  Converted result_;
  LeftOut left_out_;
  std::vector<Item> items_;
  std::set<std::string> files_;
  std::map<std::string, std::string> kinds_;  // name -> folder
  std::set<std::string> kind_folders_;
  long several_ = 0, written_masks_ = 0, nothing_marked_ = 0;
};

}  // namespace

SourceLayout recognise(const std::string& source) {
  if (!is_directory(source)) throw UsageError(str("'", source, "' is no folder; expected the folder of a data set"));
  const std::vector<std::string> folders = list_subdirectories(source);
  const auto here_or_below = [&](bool (*holds)(const std::string&)) {
    return holds(source) ||
           std::ranges::any_of(folders, [&](const std::string& name) { return holds(join_path(source, name)); });
  };
  if (!find_idx_images(source).empty()) return SourceLayout::kIdx;
  if (here_or_below(holds_test_public)) return SourceLayout::kMvtec2;
  if (is_directory(join_path(source, "split_csv"))) return SourceLayout::kVisa;
  if (here_or_below(holds_good)) return SourceLayout::kMvtec;
  if (!files_below(voc_folder(source), ".xml").empty()) return SourceLayout::kVoc;
  for (const std::string& file : files_below(source, ".json"))
    if (is_coco(join_path(source, file))) return SourceLayout::kCoco;
  if (holds_pairs(source)) return SourceLayout::kPairs;
  const auto classes =
      std::ranges::count_if(folders, [&](const std::string& name) { return contains_images(join_path(source, name)); });
  if (classes >= 2) return SourceLayout::kClasses;
  throw UsageError(str(
      "the layout of '", source,
      "' is not known. Looked for: images with masks of the same name beside them, train/good or "
      "test/good (MVTec AD), test_public (MVTec AD 2), split_csv (VisA), a JSON file with images and "
      "annotations (COCO), IDX files (MNIST), XML files in Annotations or beside the images (VOC), two or more folders "
      "with images (classes)"));
}

Converted convert_data(const ConvertOptions& options, const std::function<void(long, long)>& progress,
                       const std::function<bool()>& stop) {
  return Converter(options, progress, stop).run();
}

}  // namespace pgad
