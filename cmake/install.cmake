# What is installed: the programs, libpgad with its headers, and how others find it. Three components, as Debian divides
# packages: programs, library, development.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

target_include_directories(pgad INTERFACE $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include> $<INSTALL_INTERFACE:include>)
install(TARGETS pgad_train pgad_infer pgad_data RUNTIME COMPONENT programs)
install(TARGETS pgad EXPORT pgad LIBRARY COMPONENT library NAMELINK_COMPONENT development)
install(DIRECTORY include/pgad DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} COMPONENT development)
install(EXPORT pgad NAMESPACE pgad:: FILE pgadConfig.cmake DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/pgad COMPONENT development)
write_basic_package_version_file(${PROJECT_BINARY_DIR}/pgadConfigVersion.cmake COMPATIBILITY SameMinorVersion)
# Relative, so that an installed tree may be moved.
file(RELATIVE_PATH PGAD_PREFIX_FROM_PKGCONFIG ${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig ${CMAKE_INSTALL_PREFIX})
configure_file(cmake/pgad.pc.in ${PROJECT_BINARY_DIR}/pgad.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/pgadConfigVersion.cmake DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/pgad COMPONENT development)
install(FILES ${PROJECT_BINARY_DIR}/pgad.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig COMPONENT development)
install(DIRECTORY examples/ DESTINATION ${CMAKE_INSTALL_DOCDIR}/examples COMPONENT development)
install(FILES docs/man/pgad_train.1 docs/man/pgad_infer.1 docs/man/pgad_data.1 DESTINATION ${CMAKE_INSTALL_MANDIR}/man1 COMPONENT programs)
foreach(program pgad_train pgad_infer pgad_data)
  install(FILES ${PROJECT_BINARY_DIR}/${program}.bash RENAME ${program} COMPONENT programs
    DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions)
  install(FILES ${PROJECT_BINARY_DIR}/${program}.zsh RENAME _${program} COMPONENT programs
    DESTINATION ${CMAKE_INSTALL_DATADIR}/zsh/vendor-completions)
  install(FILES ${PROJECT_BINARY_DIR}/${program}.fish COMPONENT programs
    DESTINATION ${CMAKE_INSTALL_DATADIR}/fish/vendor_completions.d)
endforeach()

# cpack: pgad, libpgad0 and libpgad-dev.
set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_VENDOR "pgad")
set(CPACK_PACKAGE_CONTACT "pgad maintainers <pgad@localhost>")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "Finds anomalies in images with a progressively grown GAN")
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_COMPONENTS_ALL programs library development)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_STRIP_FILES ON)
set(CPACK_DEBIAN_PROGRAMS_PACKAGE_NAME pgad)
set(CPACK_DEBIAN_PROGRAMS_PACKAGE_SECTION science)
set(CPACK_DEBIAN_LIBRARY_PACKAGE_NAME libpgad${PROJECT_VERSION_MAJOR})
set(CPACK_DEBIAN_LIBRARY_PACKAGE_SECTION libs)
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_NAME libpgad-dev)
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_SECTION libdevel)
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_DEPENDS "libpgad${PROJECT_VERSION_MAJOR} (= ${PROJECT_VERSION})")
include(CPack)
