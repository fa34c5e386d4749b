//! The macros. They name types and make statics; the code is generic and stands beside.

/// Makes the one symbol that a plugin library exports. Once per library:
///
/// ```text
/// xbench_plugin::export! {
///     model CnnGap: Layers, Vjp, Linear, Parameters, Weights, Fit;
///     explainer Gradcam;
/// }
/// ```
///
/// A model names the capabilities it has beyond `Model`, each of which is the trait of that name.
/// Every function that the host will call contains panics, reports them with place and text through
/// the host's error function, checks the shapes of what comes in and goes out, and copies strided
/// tensors.
#[macro_export]
macro_rules! export {
    ($($kind:ident $type:ty $(: $($capability:ident),+ $(,)?)?;)+) => {
        /// What the host looks for in this library.
        #[unsafe(no_mangle)]
        pub static xbench_entry_v1: $crate::export::abi::xb_entry = {
            static DESCRIPTORS: &[&$crate::export::abi::xb_descriptor] = &[
                $($crate::__descriptor!($kind $type $(: $($capability),+)?)),+
            ];
            $crate::export::entry(DESCRIPTORS)
        };
    };
}

/// The static descriptor of one plugin.
#[doc(hidden)]
#[macro_export]
macro_rules! __descriptor {
    (model $type:ty $(: $($capability:ident),+)?) => {{
        $crate::__exported_model!(Exported $type $(: $($capability),+)?);
        const IDS: &[&::core::ffi::CStr] = &[
            <$crate::export::Predict as $crate::export::Capability<$type>>::ID,
            $($(<$crate::export::$capability as $crate::export::Capability<$type>>::ID),+)?
        ];
        static PROVIDES: $crate::export::CStrings<{ IDS.len() + 1 }> =
            $crate::export::CStrings::new(IDS);
        static REQUIRES: $crate::export::CStrings<1> = $crate::export::CStrings::new(&[]);
        static DESCRIPTOR: $crate::export::abi::xb_descriptor =
            $crate::export::descriptor::<Exported>(PROVIDES.as_ptr(), REQUIRES.as_ptr());
        &DESCRIPTOR
    }};
    (explainer $type:ty) => {{
        $crate::__exported_explainer!(Exported $type);
        const IDS: &[&::core::ffi::CStr] =
            &[<$crate::export::Explain as $crate::export::Capability<$type>>::ID];
        static PROVIDES: $crate::export::CStrings<{ IDS.len() + 1 }> =
            $crate::export::CStrings::new(IDS);
        const NEEDS: &[&::core::ffi::CStr] = <$type as $crate::Explainer>::NEEDS;
        static REQUIRES: $crate::export::CStrings<{ NEEDS.len() + 1 }> =
            $crate::export::CStrings::new(NEEDS);
        static DESCRIPTOR: $crate::export::abi::xb_descriptor =
            $crate::export::descriptor::<Exported>(PROVIDES.as_ptr(), REQUIRES.as_ptr());
        &DESCRIPTOR
    }};
}

/// A type that stands for a model together with its capabilities.
#[doc(hidden)]
#[macro_export]
macro_rules! __exported_model {
    ($name:ident $type:ty $(: $($capability:ident),+)?) => {
        enum $name {}
        impl $crate::export::Export for $name {
            type Plugin = $type;
            const KIND: u32 = $crate::export::abi::XB_MODEL;

            fn tables(plugin: &$type) -> $crate::Result<Vec<$crate::export::OwnedTable>> {
                Ok(::std::vec![
                    <$crate::export::Predict as $crate::export::Capability<$type>>::table(plugin)?,
                    $($(
                        <$crate::export::$capability as $crate::export::Capability<$type>>::table(
                            plugin,
                        )?
                    ),+)?
                ])
            }
        }
    };
}

/// A type that stands for an explainer.
#[doc(hidden)]
#[macro_export]
macro_rules! __exported_explainer {
    ($name:ident $type:ty) => {
        enum $name {}
        impl $crate::export::Export for $name {
            type Plugin = $type;
            const KIND: u32 = $crate::export::abi::XB_EXPLAINER;

            fn tables(plugin: &$type) -> $crate::Result<Vec<$crate::export::OwnedTable>> {
                Ok(::std::vec![
                    <$crate::export::Explain as $crate::export::Capability<$type>>::table(plugin)?
                ])
            }
        }
    };
}

/// Makes a [`TestModel`](crate::testing::TestModel) of a model that is not exported, for the tests of
/// explainers: `test_model!(value, Type: Layers, Vjp)`.
#[macro_export]
macro_rules! test_model {
    ($value:expr, $type:ty $(: $($capability:ident),+ $(,)?)?) => {{
        $crate::__exported_model!(Exported $type $(: $($capability),+)?);
        $crate::testing::TestModel::of::<Exported>($value)
    }};
}
